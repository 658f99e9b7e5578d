// SPDX-License-Identifier: Apache-2.0
#include "operator/fleet/failure.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/reason.h"

namespace wsf::fleet {
namespace {

http::Refusal Make(int http_status, int code, Reason reason, std::string message,
                   std::string detail = "") {
  return {http_status,        code, std::string(ReasonName(reason)),
          std::move(message), 0,    std::move(detail)};
}

http::Refusal MayPass(http::Refusal refusal) {
  refusal.may_pass = true;
  return refusal;
}

bool IsPullError(const std::string& reason) {
  return reason == "ErrImagePull" || reason == "ImagePullBackOff" || reason == "InvalidImageName" ||
         reason == "ErrImageNeverPull";
}

bool IsCreateError(const std::string& reason) {
  return reason == "CreateContainerError" || reason == "CreateContainerConfigError" ||
         reason == "RunContainerError" || reason == "StartError";
}

}  // namespace

std::optional<http::Refusal> StartFailure(const instances::Pod& pod, const spec::Function& function,
                                          InitTime time) {
  const instances::ContainerState& server = pod.server;
  if (pod.server_is_plain_init) {
    return Make(502, 445, Reason::kContainerInitError,
                "the cluster has changed the instance so that it can never start",
                "restartPolicy: Always of its init container is gone: a mutating webhook takes it "
                "away, or the cluster is older than Kubernetes 1.29");
  }
  if (IsPullError(server.reason)) {  // H08
    return Make(502, 444, Reason::kPullImageFailed, "the function's image cannot be pulled",
                server.message);
  }
  if (IsCreateError(server.reason)) {  // H10
    return Make(502, 445, Reason::kContainerInitError, "the function's command cannot be started",
                server.message);
  }
  // The platform's own part, which the function's author cannot mend (D43).
  if (IsPullError(pod.relay.reason)) {
    return Make(502, 444, Reason::kPullImageFailed, "the platform's relay image cannot be pulled",
                pod.relay.message);
  }
  if (IsCreateError(pod.relay.reason)) {
    return Make(502, 445, Reason::kContainerInitError, "the platform's relay cannot be started",
                pod.relay.message);
  }
  if (server.terminated || server.restarts > 0) {
    const std::string reason = server.terminated ? server.reason : server.last_reason;
    const int exit_code = server.terminated ? server.exit_code : server.last_exit_code;
    const std::string& words = server.terminated ? server.message : server.last_message;
    if (reason == "OOMKilled") {  // H21
      return Make(502, 434, Reason::kMemoryLimitReached,
                  absl::StrCat("the function's server was killed for its memory before it listened",
                               "; raise spec.resources.limits.memory"),
                  words);
    }
    return Make(502, 405, Reason::kContainerStateExited,  // H11
                absl::StrCat("the function's server exited with status ", exit_code,
                             " before it listened on port ", function.spec.port),
                words);
  }
  if (pod.ended()) {  // H13 at once: the relay's port was taken, or nothing could be started
    return Make(504, 450, Reason::kInitContainerTimeout,
                "the relay ended before the server listened", pod.relay.message);
  }
  if (time == InitTime::kLeft) return std::nullopt;
  if (server.running && !pod.relay.running) {  // H09: a relay is started behind its server
    return MayPass(Make(504, 447, Reason::kPullImageTimeOut,
                        absl::StrCat("the platform's relay was not running after ",
                                     function.spec.init_timeout_seconds, " s")));
  }
  if (server.running) {  // H12
    return Make(504, 446, Reason::kPortBindingFailed,
                absl::StrCat("the function's server did not listen on port ", function.spec.port,
                             " within ", function.spec.init_timeout_seconds,
                             " s; listen on 0.0.0.0, or set spec.port"));
  }
  if (pod.unschedulable) {  // H07
    return MayPass(Make(503, 449, Reason::kInsufficientResources,
                        "the cluster has no room for the instance: it could not be scheduled"));
  }
  // H09: a kubelet that has the pod and no container waits for an image. That it has a sandbox too
  // it tells only after the pull (seen with Kubernetes 1.34).
  if (pod.sandboxed || server.reason == "PodInitializing") {
    return MayPass(Make(504, 447, Reason::kPullImageTimeOut,
                        absl::StrCat("the function's image was still being pulled after ",
                                     function.spec.init_timeout_seconds, " s")));
  }
  return MayPass(Make(504, 450, Reason::kInitContainerTimeout,  // H13
                      absl::StrCat("the instance did not start within ",
                                   function.spec.init_timeout_seconds, " s")));
}

http::Refusal CreateFailure(const std::string& message) {
  const auto says = [&message](const char* words) { return absl::StrContains(message, words); };
  http::Refusal refusal =
      Make(503, 500, Reason::kInternalError, "the instance cannot be created", message);
  if (says("exceeded quota")) {
    refusal = MayPass(Make(503, 449, Reason::kInsufficientResources,
                           "the namespace's quota has no room for the instance", message));
  } else if (says("failed quota") || says("usage per Container") || says("usage per Pod")) {
    refusal = Make(503, 449, Reason::kInsufficientResources,
                   "the namespace's quota or LimitRange refuses the instance's resources", message);
  }
  refusal.retry_after_seconds = 1;
  return refusal;
}

}  // namespace wsf::fleet
