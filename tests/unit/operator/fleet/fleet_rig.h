// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "operator/fleet/fleet.h"

namespace wsf::fleet {

using namespace std::chrono_literals;

inline constexpr TimePoint kNow{100000s};

/// Of all actions those of one kind.
template <typename T>
std::vector<T> Only(const std::vector<Action>& actions) {
  std::vector<T> found;
  for (const Action& each : actions) {
    if (const T* wanted = std::get_if<T>(&each)) found.push_back(*wanted);
  }
  return found;
}

inline spec::Function MakeFunction(const std::string& spec_json = "{}") {
  return spec::ParseFunction({{"metadata", {{"namespace", "ns"}, {"name", "f"}, {"uid", "fu"}}},
                              {"spec", spec::Json::parse(spec_json)}});
}

/// A fleet of one function, ns/f, and one gateway.
class FleetRig : public testing::Test {
 protected:
  FleetRig() : fleet_(60s) { fleet_.OnPodsListed(kNow); }

  void Wait(const std::string& id) { fleet_.OnWaiting({id, "ns/f", "gateway", ++clock_}); }

  // The pod that a CreateInstance asks for appears.
  enum class Server { kRuns, kWaits };
  std::string Appear(const CreateInstance& create, Server server = Server::kRuns) {
    instances::Pod pod;
    pod.uid = "uid-" + create.name;
    pod.ns = "ns";
    pod.name = create.name;
    pod.function = "f";
    pod.function_uid = "fu";
    pod.revision = create.revision;
    pod.phase = "Running";
    pod.relay.running = true;
    pod.server.running = server == Server::kRuns;
    fleet_.OnPod(pod, now_);
    pods_[pod.uid] = pod;
    return pod.uid;
  }

  std::string StartFree() {
    const auto creates = Only<CreateInstance>(fleet_.Plan(now_));
    EXPECT_EQ(creates.size(), 1u);
    const std::string uid = Appear(creates.at(0));
    fleet_.OnListening(uid, "127.64.1.1:17009", now_);
    return uid;
  }

  Fleet fleet_;
  std::int64_t clock_ = 0;
  TimePoint now_ = kNow;
  std::map<std::string, instances::Pod> pods_;
};

}  // namespace wsf::fleet
