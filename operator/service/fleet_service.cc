// SPDX-License-Identifier: Apache-2.0
#include "operator/service/fleet_service.h"

#include <limits>
#include <utility>

#include "absl/base/thread_annotations.h"

namespace wsf::service {
namespace {

class Reactor;

// Outlives the reactor as long as the operator holds it.
class Link final : public GatewayLink {
 public:
  Link(Reactor* reactor, grpc::CallbackServerContext* context)
      : reactor_(reactor), context_(context) {}
  void Send(v1::ToGateway message) override;
  void OnWritten();
  void Detach() {
    const absl::MutexLock lock(&mutex_);
    reactor_ = nullptr;
  }

 private:
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  Reactor* reactor_ ABSL_GUARDED_BY(mutex_);  // nullptr once the stream has ended
  grpc::CallbackServerContext* const context_ ABSL_PT_GUARDED_BY(mutex_);  // as long as `reactor_`
  std::deque<v1::ToGateway> queue_ ABSL_GUARDED_BY(mutex_);  // its front is being written
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool full_ ABSL_GUARDED_BY(mutex_) = false;
  std::size_t limit_ ABSL_GUARDED_BY(mutex_) = std::numeric_limits<std::size_t>::max();
};

class Reactor final : public grpc::ServerBidiReactor<v1::FromGateway, v1::ToGateway> {
 public:
  Reactor(FleetHandler* handler, grpc::CallbackServerContext* context)
      : handler_(handler), link_(std::make_shared<Link>(this, context)) {
    StartRead(&incoming_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) {
      link_->Detach();
      handler_->OnDetach(link_);
      Finish(grpc::Status::OK);
      return;
    }
    handler_->OnMessage(link_, std::exchange(incoming_, {}));
    StartRead(&incoming_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) link_->OnWritten();
  }
  void OnDone() override { delete this; }

 private:
  FleetHandler* const handler_;
  std::shared_ptr<Link> link_;
  v1::FromGateway incoming_;
};

// A follower's: over at once.
class Elsewhere final : public grpc::ServerBidiReactor<v1::FromGateway, v1::ToGateway> {
 public:
  explicit Elsewhere(grpc::Status status) { Finish(std::move(status)); }
  void OnDone() override { delete this; }
};

void Link::Send(v1::ToGateway message) {
  const absl::MutexLock lock(&mutex_);
  if (reactor_ == nullptr || full_) return;
  if (queue_.size() >= limit_) {
    full_ = true;
    return context_->TryCancel();
  }
  // All that there is, which is said first, is as large as it is.
  if (message.has_in_sync()) limit_ = queue_.size() + kMaxQueued;
  queue_.push_back(std::move(message));
  if (!writing_) WriteNext();
}

void Link::OnWritten() {
  const absl::MutexLock lock(&mutex_);
  queue_.pop_front();
  writing_ = false;
  if (!queue_.empty() && reactor_ != nullptr) WriteNext();
}

void Link::WriteNext() {
  writing_ = true;
  reactor_->StartWrite(&queue_.front());
}

}  // namespace

grpc::ServerBidiReactor<v1::FromGateway, v1::ToGateway>* FleetService::Attach(
    grpc::CallbackServerContext* context) {
  if (!leader_->here()) return new Elsewhere(PointToLeader(*leader_, port_, context));
  return new Reactor(handler_, context);
}

}  // namespace wsf::service
