// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "standalone/api/objects.h"
#include "standalone/api/table.h"

namespace wsf::api {

struct Request {
  std::string method;
  std::string path;                          ///< without the query, percent-decoded
  std::string raw_query;                     ///< as it came
  std::map<std::string, std::string> query;  ///< decoded
  std::string accept;
  std::string content_type;
  std::string user_agent;
  std::string wsf_token;  ///< X-Wsf-Token: for the operator alone
  std::string body;
};

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::string> warnings;  ///< the value of a header Warning each
};

/// A watch to be streamed.
struct Watch {
  const Resource* resource = nullptr;
  std::string ns;
  std::string name;  ///< only this one, or "" for all
  Selector labels{""};
  Selector fields{""};
  std::uint64_t version = 0;
  bool from_now = false;        ///< no resourceVersion given: existing objects first
  bool initial_events = false;  ///< a bookmark says when those have been told
  bool as_table = false;
  Included include = Included::kMetadata;
  int timeout_seconds = 0;  ///< 0 = until the client goes

  /// The change as the watch sees it: what its selectors did not match before is added, and what
  /// they do not match any more deleted, as it was. Nothing where it is none of its own.
  std::optional<Change> Seen(const Change& change) const;
  /// The line for one change that it sees.
  std::string Line(const Change& change, std::int64_t now_unix_micros) const;
  enum class Bookmarked { kVersion, kInitialEvents };
  std::string Bookmark(std::uint64_t version, Bookmarked what = Bookmarked::kVersion) const;
  bool Selects(const Json& object) const;
};

/// A request that a Service is to answer.
struct Proxy {
  std::string address;  ///< ip:port
  std::string method;
  std::string target;  ///< path and query
  std::string wsf_token;
};

/// What else the API answers from.
struct Backends {
  /// TokenReview: the `status` for a token.
  std::function<Json(const std::string& token)> review_token;
  /// The text of a container's log; nothing when there is no such container.
  std::function<std::optional<std::string>(const std::string& ns, const std::string& pod,
                                           const std::string& container)>
      read_log;
  /// ip:port of the operator's admin port: the Service proxy's only target, by HTTPS.
  std::string admin_address;
  /// TokenRequest for the service account `wsf-people`, the only one there is.
  std::string people_token;
};

/// Where `wsf sessions` finds them, with a cluster's API server as with this one.
inline constexpr char kSessionsProxy[] =
    "/api/v1/namespaces/wsf-system/services/https:wsf-operator:admin/proxy";

/// Maps requests to the objects: paths, verbs, discovery, Table form. No I/O.
class Router {
 public:
  Router(Objects* objects, Backends backends) : objects_(objects), backends_(std::move(backends)) {}

  std::variant<Reply, Watch, Proxy> Handle(const Request& request);

 private:
  std::variant<Reply, Watch, Proxy> Dispatch(const Request& request);
  struct Target {
    const Resource* resource = nullptr;
    std::string ns;
    std::string name;
    std::string subresource;
  };
  static std::optional<Target> ParsePath(const std::string& path);

  Result<Json> Write(const Request& request, const Target& target,
                     std::vector<std::string>* warnings);
  Result<Json> DeleteAll(const Request& request, const Target& target, const Json& options,
                         const Writer& by);
  Result<Json> Scale(const Request& request, const Target& target, const Json& body,
                     const Writer& by);
  std::variant<Reply, Watch, Proxy> Read(const Request& request, const Target& target);
  static std::optional<Error> CheckSelectors(const Request& request, const Target& target);
  Reply List(const Request& request, const Target& target);
  Watch StartWatch(const Request& request, const Target& target);
  Reply Log(const Request& request, const Target& target);
  Reply ReviewToken(const Request& request);
  Reply ReviewAccess(const Request& request);
  Reply RequestToken(const Request& request);

  Objects* const objects_;
  const Backends backends_;
};

Reply JsonReply(int status, const Json& body);
Reply ErrorReply(const Error& error);

}  // namespace wsf::api
