// SPDX-License-Identifier: Apache-2.0

#include "common/spec/function.h"
#include "common/spec/grants.h"
#include "operator/instances/pod.h"
#include "tests/fuzz/fuzz.h"

// Whatever somebody may write as a function: it has errors, or a pod can be made of it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wsf;
  const auto object = nlohmann::json::parse(Text(data, size), nullptr, false);
  if (object.is_discarded()) return 0;
  spec::Function function = spec::ParseFunction(object);
  spec::CheckGrants(spec::Grants(), &function);
  const std::string revision = spec::RevisionOf(function, instances::kTemplateVersion);
  if (!function.errors.empty()) return 0;
  const auto pod =
      instances::MakePod(function, revision + "-1", revision, instances::PodTemplate());
  Require(instances::ParsePod(pod).revision == revision);
  Require(!pod.dump().empty());
  return 0;
}
