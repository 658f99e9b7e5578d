// SPDX-License-Identifier: Apache-2.0

// registry serve CONFIG: the registry of the distribution project, with what a test asks of it alone:
// images in a folder, and users with passwords. Its own command brings three clouds along.
package main

import (
	"os"

	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
)

func main() {
	if registry.RootCmd.Execute() != nil {
		os.Exit(1)
	}
}
