# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What both builds share; sourced. Everything is built once into the user's cache folder.
export PATH="$PATH:/usr/local/go/bin" CGO_ENABLED=0

# open_target LINK FILE...: LINK leads to $target, a folder of the cache that these files name. Exits
# where it is complete; nobody else fills it meanwhile.
open_target() {
  local link=$1
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/wsf/cluster
  shift
  target=$cache/$(cat "$@" | sha256sum | cut -c1-16)
  rm -rf "$link"
  mkdir -p "$target"
  ln -s "$target" "$link"
  exec {lock}>"$cache/lock"
  flock "$lock"
  if [[ -e $target/complete ]]; then exit 0; fi
}

# From 1.21 on Go fetches the Go that go.mod asks for; Debian's is older, but gets it as a module.
get_go() {
  local toolchain root
  if (($(go env GOVERSION | cut -d. -f2) >= 21)); then return; fi
  toolchain=golang.org/toolchain@v0.0.1-go1.24.6.linux-amd64
  (cd / && go mod download "$toolchain")
  root=$(go env GOMODCACHE)/$toolchain
  chmod -R u+w "$root"
  chmod +x "$root"/bin/* "$root"/pkg/tool/*/*
  export PATH="$root/bin:$PATH"
}

# build_kubernetes COMMAND...: of the version that the module in this folder names, into $target.
build_kubernetes() {
  local version package flags="-s -w"
  version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
  # kubectl refuses to speak of its version, and the API server of its features, without these.
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X $package.gitVersion=$version -X $package.gitMajor=1"
    flags+=" -X $package.gitMinor=$(cut -d. -f2 <<<"$version")"
  done
  go build -trimpath -tags "providerless dockerless" -ldflags "$flags" -o "$target/" \
    "${@/#/k8s.io/kubernetes/cmd/}"
}
