// SPDX-License-Identifier: Apache-2.0
//
// A plan looks only at what has changed or come due. Two fleets live through the same random
// events; one is told before each plan that everything may have changed, and must find nothing more
// to do.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "operator/fleet/fleet.h"

namespace wsf::fleet {
namespace {

using namespace std::chrono_literals;

constexpr int kSeeds = 200;
constexpr int kSteps = 300;

const char* const kSpecs[] = {
    "{}",
    R"({"warmInstances": 2, "maxInstances": 4})",
    R"({"instanceConcurrency": 3, "maxInstances": 2})",
    R"({"warmInstances": 1, "warmMaxAgeSeconds": 60, "liveSessionSeconds": 30})",
    R"({"image": "other:2", "warmInstances": 1})",
    R"({"image": "other:3", "liveSessionSeconds": 60, "initTimeoutSeconds": 5})",
    R"({"suspend": true})",
};

struct Describe {
  std::string operator()(const CreateInstance& a) const { return "create " + a.name; }
  std::string operator()(const DeleteInstance& a) const { return "delete " + a.uid; }
  std::string operator()(const DropInstance& a) const { return "drop " + a.uid; }
  std::string operator()(const AskState& a) const { return "ask " + a.uid; }
  std::string operator()(const CloseInstance& a) const { return "close " + a.uid; }
  std::string operator()(const EndSessions& a) const { return "end " + a.uid; }
  std::string operator()(const TellFree& a) const {
    return absl::StrCat("free ", a.uid, " ", a.slots, " ", a.home);
  }
  std::string operator()(const TellWithdraw& a) const { return "withdraw " + a.uid; }
  std::string operator()(const TellRefuse& a) const {
    return absl::StrCat("refuse ", a.request_id, " ", a.refusal.code);
  }
  std::string operator()(const TellFailure& a) const { return "failure " + a.function_key; }
};

class World {
 public:
  explicit World(unsigned seed) : random_(seed) {
    for (Fleet* fleet : {&fleet_, &thorough_}) fleet->OnPodsListed(now_);
  }

  void Step() {
    now_ += std::chrono::milliseconds(Any(4) == 0 ? Any(20000) : Any(300));
    Happen(Any(12));
    thorough_.OnPodsListed(now_);
    std::vector<Action> actions = fleet_.Plan(now_);
    EXPECT_EQ(Fresh(actions, &deleted_), Fresh(thorough_.Plan(now_), &thoroughly_deleted_));
    for (const char* key : {"ns/a", "ns/b", "ns/c"}) {
      EXPECT_TRUE(fleet_.Count(key) == thorough_.Count(key)) << key;
    }
    EXPECT_EQ(fleet_.Unknown(), thorough_.Unknown());
    for (const Action& action : actions) todo_.push_back(action);
  }

 private:
  int Any(int below) { return std::uniform_int_distribution<>(0, below - 1)(random_); }

  template <typename F>
  void Both(F&& event) {
    event(fleet_);
    event(thorough_);
  }

  // A delete is asked for again until its pod is seen to be deleted.
  static std::set<std::string> Fresh(const std::vector<Action>& actions,
                                     std::set<std::string>* deleted) {
    std::set<std::string> all;
    for (const Action& action : actions) {
      const std::string text = std::visit(Describe(), action);
      const bool is_delete = std::holds_alternative<DeleteInstance>(action);
      if (!is_delete || deleted->insert(text).second) all.insert(text);
    }
    return all;
  }

  void SetFunction(const std::string& name, int generation) {
    spec::Function function = spec::ParseFunction(
        {{"metadata", {{"namespace", "ns"}, {"name", name}, {"uid", name + "u"}}},
         {"spec", spec::Json::parse(kSpecs[Any(std::size(kSpecs))])}});
    function.generation = generation;
    Both([&](Fleet& fleet) { fleet.OnFunction(function, now_); });
  }

  std::string AnyUid() {
    if (pods_.empty()) return "";
    auto each = pods_.begin();
    std::advance(each, Any(static_cast<int>(pods_.size())));
    return each->first;
  }

  void Pod(const std::string& uid) {
    Both([&](Fleet& fleet) { fleet.OnPod(pods_.at(uid), now_); });
  }

  void Remove(const std::string& uid) {
    if (pods_.erase(uid) == 0) return;
    Both([&](Fleet& fleet) { fleet.OnPodGone(uid); });
  }

  // Something that was asked for is done, fails, or gets no answer.
  void DoOne() {
    if (todo_.empty()) return;
    const Action action = todo_.front();
    todo_.erase(todo_.begin());
    if (const auto* create = std::get_if<CreateInstance>(&action)) return Create(*create);
    if (const auto* gone = std::get_if<DeleteInstance>(&action)) return Remove(gone->uid);
    if (const auto* gone = std::get_if<DropInstance>(&action)) return Remove(gone->uid);
    if (const auto* close = std::get_if<CloseInstance>(&action)) {
      const bool closed = Any(3) > 0;
      Both([&](Fleet& fleet) { fleet.OnCloseAnswered(close->uid, closed, now_); });
      if (closed) Remove(close->uid);
    } else if (const auto* end = std::get_if<EndSessions>(&action)) {
      if (Any(2) == 0) Both([&](Fleet& fleet) { fleet.OnEndFailed(end->uid); });
    } else if (const auto* refused = std::get_if<TellRefuse>(&action)) {
      Both([&](Fleet& fleet) { fleet.OnLeft(refused->request_id); });
    }
  }

  void Create(const CreateInstance& create) {
    const int outcome = Any(8);
    if (outcome == 0) {
      Both([&](Fleet& f) { f.OnCreateFailed(create.function_key, create.name, "no", now_); });
    } else if (outcome == 1) {
      Both([&](Fleet& f) { f.OnCreateUnanswered(create.function_key, create.name, now_); });
    } else if (outcome == 2) {
      Both([&](Fleet& f) { f.OnNameTaken(create.function_key, create.name, now_); });
    } else {
      instances::Pod pod;
      pod.uid = absl::StrCat("uid-", create.function_key, "-", create.name);
      pod.ns = "ns";
      pod.name = create.name;
      pod.function = create.function_key.substr(3);
      pod.function_uid = pod.function + "u";
      pod.revision = create.revision;
      pod.phase = "Running";
      pod.relay.running = pod.server.running = true;
      pods_[pod.uid] = pod;
      Pod(pod.uid);
    }
  }

  void Happen(int what) {
    const std::string name(1, "abc"[Any(3)]);
    const std::string uid = AnyUid();
    const std::string request = absl::StrCat("r", Any(40));
    switch (what) {
      case 0: return SetFunction(name, ++generation_);
      case 1:
        if (Any(10) == 0) Both([&](Fleet& fleet) { fleet.OnFunctionGone(name + "u"); });
        return;
      case 2:
        return Both([&](Fleet& fleet) {
          fleet.OnWaiting({request, "ns/" + name, absl::StrCat("g", generation_ % 2), ++clock_});
        });
      case 3: return Both([&](Fleet& fleet) { fleet.OnLeft(request); });
      case 4: return Both([&](Fleet& fleet) { fleet.OnListening(uid, "10.0.0.1:17009", now_); });
      case 5: return Both([&](Fleet& fleet) { fleet.OnTaken(uid, request, {"c", 1}); });
      case 6: return Both([&](Fleet& fleet) { fleet.OnNotTaken(uid, request, now_); });
      case 7: {
        const auto over = Any(2) == 0 ? Fleet::Over::kYes : Fleet::Over::kPerhaps;
        return Both([&](Fleet& fleet) { fleet.OnSessionEnded(uid, request, over, now_); });
      }
      case 8: {
        const char* const state = std::vector{"free", "live 1", "starting", "ending", ""}[Any(5)];
        return Both([&](Fleet& fleet) { fleet.OnState(uid, state, "10.0.0.1:17009", now_); });
      }
      case 9:
        if (Any(4) == 0) return Both([&](Fleet& f) { f.OnInstanceLost(uid, now_); });
        if (Any(4) == 0) return Both([&](Fleet& f) { f.OnGatewayLost("g0"); });
        if (uid.empty()) return;
        pods_[uid].server.terminated = !pods_[uid].server.terminated;
        pods_[uid].server.restarts += Any(2);
        return Pod(uid);
      case 10:
        if (uid.empty()) return;
        pods_[uid].deleting = Any(4) == 0;
        pods_[uid].phase = Any(6) == 0 ? "Failed" : "Running";
        return Pod(uid);
      default: DoOne(), DoOne(), DoOne();
    }
  }

  std::mt19937 random_;
  TimePoint now_{100000s};
  int generation_ = 0;
  std::int64_t clock_ = 0;
  std::map<std::string, instances::Pod> pods_;
  std::vector<Action> todo_;
  std::set<std::string> deleted_;
  std::set<std::string> thoroughly_deleted_;
  Fleet fleet_{30s, 40};
  Fleet thorough_{30s, 40};
};

TEST(IncrementalPlan, FindsWhatAPlanOfEverythingFinds) {
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    World world(seed);
    for (int step = 0; step < kSteps; ++step) world.Step();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace wsf::fleet
