// SPDX-License-Identifier: Apache-2.0
//
// Every interleaving of claim, end, status write, finalizer and restart, over two gateways, two
// instances, an operator that is killed and started again, or that lives on beside its successor,
// and a channel that delays and loses writes and answers. Counting is the product's own NextStep(),
// admission its own Slot.
//
//   I1  an instance never has two sessions
//   I4  a session is never counted twice, and once everything has come to rest it is counted once
//
// A control proves that the search can fail: with pods listed before the books it finds the double
// count that ledger/step.h forbids.

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <unordered_set>

#include "operator/ledger/step.h"
#include "sidecar/slot/slot.h"

namespace wsf::ledger {
namespace {

constexpr int kPods = 2;
constexpr int kGateways = 2;

// What the API tells of a pod; it only ever grows.
enum PodStage : std::uint8_t { kRunning, kEndedGuarded, kEndedBare, kGone };
enum SlotStage : std::uint8_t { kFree, kLive, kOver };
enum OperatorStage : std::uint8_t { kReadingBook, kListingPods, kWorking };

// Which pods were counted (how often), and which stand as entries.
struct SmallBook {
  std::array<std::uint8_t, kPods> counted{};
  std::array<bool, kPods> entered{};
  bool operator==(const SmallBook&) const = default;
};

struct Write {
  bool on_its_way = false;
  bool is_status = false;  // else the removal of one pod's finalizer
  std::uint8_t operator_number = 0;
  std::uint8_t base_version = 0;
  std::uint8_t pod = 0;
  SmallBook book;
};

struct Op {
  bool alive = false;
  OperatorStage stage = kReadingBook;
  std::array<PodStage, kPods> seen{};  // its cache, which may lag
  std::uint8_t book_version = 0;
  SmallBook book_read;
  SmallBook attempt;
  bool attempted = false;
};

struct State {
  // Reality.
  std::array<SlotStage, kPods> slot{};
  std::array<bool, kPods> carried{};
  std::array<std::uint8_t, kPods> live{};  // sessions at the same time
  std::array<bool, kGateways> served{};
  // The API.
  std::array<PodStage, kPods> pod{};
  std::uint8_t version = 0;
  SmallBook book;
  std::array<Op, 2> op{};  // the second one follows the first
  // The channel.
  std::array<Write, 2> writes{};
};

template <typename T>
void Pack(std::string* out, const T& value) {
  out->push_back(static_cast<char>(value));
}

std::string Key(const State& s) {
  std::string key;
  const auto pack_book = [&key](const SmallBook& book) {
    for (int p = 0; p < kPods; ++p) Pack(&key, book.counted[p] * 2 + book.entered[p]);
  };
  for (int p = 0; p < kPods; ++p) {
    Pack(&key, s.slot[p] | s.carried[p] << 2 | s.live[p] << 3);
    Pack(&key, s.pod[p] | s.op[0].seen[p] << 2 | s.op[1].seen[p] << 4);
  }
  for (int g = 0; g < kGateways; ++g) Pack(&key, s.served[g]);
  Pack(&key, s.version);
  pack_book(s.book);
  for (const Op& op : s.op) {
    Pack(&key, op.alive | op.stage << 1 | op.attempted << 3);
    Pack(&key, op.book_version);
    pack_book(op.book_read), pack_book(op.attempt);
  }
  for (const Write& w : s.writes) {
    Pack(&key, w.on_its_way | w.is_status << 1);
    Pack(&key, w.operator_number), Pack(&key, w.base_version), Pack(&key, w.pod);
    pack_book(w.book);
  }
  return key;
}

// The model's small book and the product's: each pod gets a status code of its own, so that the
// counters tell who was counted.
Book Large(const SmallBook& small) {
  Book book;
  for (int p = 0; p < kPods; ++p) {
    Counters counters;
    counters.total = 1;
    counters.by_code[p] = 1;
    for (int i = 0; i < small.counted[p]; ++i) book.sessions.Add(counters);
    if (small.entered[p]) book.uncounted.push_back({std::to_string(p), counters});
  }
  return book;
}

SmallBook Small(const Book& book) {
  SmallBook small;
  for (const auto& [pod, count] : book.sessions.by_code) {
    small.counted[static_cast<std::size_t>(pod)] = static_cast<std::uint8_t>(count);
  }
  for (const Entry& entry : book.uncounted) small.entered[std::stoul(entry.uid)] = true;
  return small;
}

Step StepOf(const State& s, const Op& op) {
  std::vector<ObservedPod> pods;
  for (int p = 0; p < kPods; ++p) {
    if (op.seen[p] == kGone) continue;
    Counters verdict;
    if (s.carried[p]) {
      verdict.total = 1;
      verdict.by_code[p] = 1;
    }
    const bool ended = op.seen[p] >= kEndedGuarded;
    pods.push_back({std::to_string(p), op.seen[p] != kEndedBare, ended, ended,
                    ended ? std::optional<Counters>(verdict) : std::nullopt});
  }
  return NextStep(Large(op.book_read), pods);
}

enum class Order { kBooksThenPods, kPodsThenBooks };

// kRestart: the first operator is killed before the second starts. kOverlap: they may live beside
// each other for any time, as when a leader was stopped and goes on.
enum class Operators { kRestart, kOverlap };

class Search {
 public:
  Search(int pods, Operators operators, Order order)
      : pods_(pods), operators_(operators), order_(order) {}

  void Run() {
    State first;
    first.op[0].alive = true;
    for (int p = pods_; p < kPods; ++p) first.slot[p] = kOver;
    Visit(first);
    while (!open_.empty() && wrong_.empty()) {
      const State state = open_.front();
      open_.pop_front();
      const std::size_t before = moves_;
      Expand(state);
      if (moves_ == before) CheckRest(state);
    }
  }

  const std::string& wrong() const { return wrong_; }
  std::size_t states() const { return known_.size(); }
  std::size_t rests() const { return rests_; }

 private:
  void Visit(const State& state) {
    ++moves_;
    for (int p = 0; p < kPods; ++p) {
      if (state.live[p] > 1) wrong_ = "I1: an instance has two sessions";
      if (state.book.counted[p] > 1) wrong_ = "I4: a session was counted twice";
      if (state.book.counted[p] > 0 && !state.carried[p]) wrong_ = "I4: no session was counted";
    }
    if (known_.insert(Key(state)).second) open_.push_back(state);
  }

  // Nothing can happen any more.
  void CheckRest(const State& s) {
    ++rests_;
    for (int p = 0; p < kPods; ++p) {
      if (!s.carried[p]) continue;
      if (s.book.counted[p] != 1) wrong_ = "I4: a session was lost";
      if (s.book.entered[p]) wrong_ = "I4: an entry stays for ever";
      if (s.pod[p] != kGone) wrong_ = "I9: a pod stays for ever";
    }
  }

  void Expand(const State& s) {
    Sessions(s);
    Pods(s);
    for (std::size_t o = 0; o < s.op.size(); ++o) {
      if (s.op[o].alive) Operator(s, o);
    }
    Channel(s);
    Succession(s);
  }

  void Succession(const State& s) {
    if (s.op[0].alive) {  // kill -9: what it knew is gone, what it sent is not
      State next = s;
      next.op[0] = Op();
      if (operators_ == Operators::kRestart) next.op[1].alive = true;
      Visit(next);
    }
    if (operators_ == Operators::kOverlap && !s.op[1].alive) {
      State next = s;
      next.op[1].alive = true;
      Visit(next);
    }
  }

  // Each gateway believes that every instance is free, and tries until one takes its client.
  void Sessions(const State& s) {
    for (int p = 0; p < pods_; ++p) {
      for (int g = 0; g < kGateways; ++g) {
        if (s.served[g] || !Admits(s.slot[p])) continue;
        State next = s;
        next.slot[p] = kLive;
        ++next.live[p];
        next.carried[p] = true;
        Visit(next);  // the gateway is lost, or the answer to it: its client tries again
        next.served[g] = true;
        Visit(next);
      }
      if (s.slot[p] == kLive) {
        State next = s;
        next.slot[p] = kOver;
        --next.live[p];
        Visit(next);
      }
    }
  }

  static bool Admits(SlotStage stage) {
    slot::Slot slot;
    slot.PortListens();
    slot.Acknowledge("token");
    if (stage != kFree) slot.Take("token", 1);
    if (stage == kOver) slot.Release();
    return slot.Take("token", 1) == slot::Slot::Answer::kTaken;
  }

  void Pods(const State& s) {
    for (int p = 0; p < pods_; ++p) {
      State next = s;
      if (s.pod[p] == kRunning && s.slot[p] == kOver) {
        next.pod[p] = kEndedGuarded;  // the kubelet tells of the relay's end
        Visit(next);
      } else if (s.pod[p] == kEndedBare) {
        next.pod[p] = kGone;
        Visit(next);
      }
    }
  }

  void Operator(const State& s, std::size_t o) {
    const Op& op = s.op[o];
    if (op.stage != kWorking) return Open(s, o);
    for (int p = 0; p < pods_; ++p) {  // the watch of pods comes on, one event after the other
      if (op.seen[p] == s.pod[p]) continue;
      State next = s;
      next.op[o].seen[p] = static_cast<PodStage>(op.seen[p] + 1);
      Visit(next);
    }
    if (s.version > op.book_version) {  // the watch of functions
      State next = s;
      Adopt(&next, o);
      Visit(next);
    }
    Act(s, o);
  }

  void Open(const State& s, std::size_t o) {
    State next = s;
    Op& op = next.op[o];
    const bool reads_book = (op.stage == kReadingBook) == (order_ == Order::kBooksThenPods);
    if (reads_book) {
      op.book_version = s.version;
      op.book_read = s.book;
      op.attempted = false;
    } else {
      op.seen = s.pod;
    }
    op.stage = op.stage == kReadingBook ? kListingPods : kWorking;
    Visit(next);
  }

  // A version that another has written means that pods must be listed anew (Ledger::OnFunction).
  void Adopt(State* s, std::size_t o) {
    Op& op = s->op[o];
    const bool ours = s->book == op.book_read || (op.attempted && s->book == op.attempt);
    op.book_version = s->version;
    op.book_read = s->book;
    op.attempted = false;
    if (!ours && order_ == Order::kBooksThenPods) op.stage = kListingPods;
  }

  void Act(const State& s, std::size_t o) {
    const Op& op = s.op[o];
    const Step step = StepOf(s, op);
    const SmallBook book = Small(step.book);
    if (!(book == op.book_read) && !(op.attempted && book == op.attempt)) {
      State next = s;
      Write write;
      write.is_status = true;
      write.base_version = op.book_version;
      write.book = book;
      next.op[o].attempt = book;
      next.op[o].attempted = true;
      Send(next, write, o);
    }
    for (const std::string& uid : step.remove_finalizer) {
      Write write;
      write.pod = static_cast<std::uint8_t>(std::stoul(uid));
      Send(s, write, o);
    }
  }

  void Send(State next, Write write, std::size_t o) {
    write.on_its_way = true;
    write.operator_number = static_cast<std::uint8_t>(o);
    for (const Write& each : next.writes) {
      const bool same = each.on_its_way && each.is_status == write.is_status &&
                        each.pod == write.pod && each.operator_number == write.operator_number;
      if (same) return;  // one of a kind at a time
    }
    for (Write& each : next.writes) {
      if (each.on_its_way) continue;
      each = write;
      return Visit(next);
    }
  }

  void Channel(const State& s) {
    for (std::size_t i = 0; i < s.writes.size(); ++i) {
      const Write& write = s.writes[i];
      if (!write.on_its_way) continue;
      State next = s;
      next.writes[i] = Write();
      const Op& sender = s.op[write.operator_number];
      const bool hears = sender.alive && sender.stage == kWorking;
      {  // lost on the way
        State lost = next;
        if (sender.alive && write.is_status) lost.op[write.operator_number].attempted = false;
        Visit(lost);
      }
      if (!write.is_status) {
        if (next.pod[write.pod] == kEndedGuarded) next.pod[write.pod] = kEndedBare;
        Visit(next);
        continue;
      }
      if (write.base_version != s.version) {  // 409: the sender reads what stands there
        if (hears) Adopt(&next, write.operator_number);
        Visit(next);
        continue;
      }
      ++next.version;
      next.book = write.book;
      Visit(next);  // applied, and the answer is lost
      if (hears) {
        Adopt(&next, write.operator_number);
        Visit(next);
      }
    }
  }

  const int pods_;
  const Operators operators_;
  const Order order_;
  std::string wrong_;
  std::unordered_set<std::string> known_;
  std::deque<State> open_;
  std::size_t moves_ = 0;
  std::size_t rests_ = 0;
};

void ExpectToHold(int pods, Operators operators, std::size_t least_states) {
  Search search(pods, operators, Order::kBooksThenPods);
  search.Run();
  EXPECT_EQ(search.wrong(), "");
  EXPECT_GT(search.rests(), 0u) << "it comes to rest somewhere";
  EXPECT_GT(search.states(), least_states);
  testing::Test::RecordProperty("states", static_cast<int>(search.states()));
}

TEST(LedgerModel, I1_I4_HoldOverEveryInterleavingOfTwoInstancesAndARestart) {
  ExpectToHold(2, Operators::kRestart, 100'000);
}

TEST(LedgerModel, I4_HoldsWhileAnOldOperatorLivesBesideItsSuccessor) {
  ExpectToHold(1, Operators::kOverlap, 10'000);
}

TEST(LedgerModel, TheSearchFindsTheDoubleCountThatTheOrderOfReadingPrevents) {
  Search search(1, Operators::kOverlap, Order::kPodsThenBooks);
  search.Run();
  EXPECT_EQ(search.wrong(), "I4: a session was counted twice");
}

}  // namespace
}  // namespace wsf::ledger
