// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>

#include "common/kube/client.h"

namespace wsf::kube {

/// Tells of every object of one kind and of every change of it: lists page by page, watches from
/// there with bookmarks, resumes from the last version that was handled, lists anew after an error
/// event (a 410 above all) and then tells of the objects that have gone meanwhile.
///
///     Listing -- the last page --> Watching -- it breaks --> Pausing --> Watching
///        ^                            |
///        +------- Pausing <-----------+-- an error event, a refusal, a line that is no change
///
/// Threading: confined to the operator's thread.
class Informer {
 public:
  struct Callbacks {
    std::function<void(const Json& object)> on_object;  ///< added or changed
    std::function<void(const std::string& uid)> on_gone;
    std::function<void()> on_listed;  ///< a whole list has been told
    /// What on_object threw: it costs that object only.
    std::function<void(const std::string& name, const std::string& error)> on_fault;
  };

  /// `path` is a collection's, `selector` a label selector or "".
  Informer(boost::asio::io_context& io, Client* client, std::string path, std::string selector,
           Callbacks callbacks);

  /// Lists consistently from now on, whatever is under way; on_listed follows.
  void List();

 private:
  // What it does; each knows what follows. Answers to an earlier state are dropped.
  struct Listing {
    std::map<std::string, std::string> unseen;  // of known_, not in the pages read so far
  };
  struct Watching {
    std::unique_ptr<Client::Watch> watch;
  };
  struct Pausing {};  // for a while, before it lists or watches again
  using State = std::variant<Pausing, Listing, Watching>;

  void Enter(State state);
  template <typename Function>
  auto InThisState(Function function);
  void ListPage(const std::string& more);
  void OnPage(const Response& response);
  void Watch();
  void OnLine(const std::string& line);
  void OnEnd(const absl::Status& status);
  void Pause(void (Informer::*then)());
  void Tell(const Json& object);
  std::string Query(const std::string& more) const;

  Client* const client_;
  const std::string path_;
  const std::string selector_;
  Callbacks callbacks_;
  boost::asio::steady_timer timer_;
  std::chrono::milliseconds back_off_;
  State state_;
  int states_ = 0;                            // entered so far
  std::string version_;                       // of the last handled event
  std::map<std::string, std::string> known_;  // uid by namespace and name
};

}  // namespace wsf::kube
