// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/kube/client.h"

namespace wsf::kube {

/// Tells of every object of one kind and of every change of it: lists page by page, watches from
/// there with bookmarks, resumes from the last version that was handled, lists anew after an error
/// event (a 410 above all) and then tells of the objects that have gone meanwhile.
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

  void Start() { List(); }
  /// Lists consistently from now on, whatever is under way; on_listed follows.
  void ListAgain();

 private:
  void List();
  void ListPage(const std::string& more);
  void OnPage(const Response& response);
  void Watch();
  void OnLine(const std::string& line);
  void OnEnd(const absl::Status& status);
  void Again(std::function<void()> what);
  void Tell(const Json& object);
  std::string Query(const std::string& more) const;

  Client* const client_;
  const std::string path_;
  const std::string selector_;
  Callbacks callbacks_;
  boost::asio::steady_timer timer_;
  std::chrono::milliseconds back_off_;
  std::unique_ptr<Client::Watch> watch_;
  std::string version_;                        // of the last handled event
  std::map<std::string, std::string> unseen_;  // of known_, not in the pages read so far
  int lists_ = 0;                              // the answer to an older one is dropped
  bool expired_ = false;                       // an error event: the version is of no use
  std::map<std::string, std::string> known_;   // uid by namespace and name
};

}  // namespace wsf::kube
