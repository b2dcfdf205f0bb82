#pragma once

#include <mailroom/framework/rpc/connector.hpp>
#include <mailroom/framework/rpc/outbound_link.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace mailroom::rpc {

/// One peer that we call: a data link to each of its I/O loops. Loop thread only.
///
/// With one link the session ends. No new calls are sent then, but answers that the peer wrote
/// before come by the other links: it ends when each of these has answered a fence, or ended too.
class outbound_session final {
 public:
  outbound_session(connector& home, connector::session_info agreed, connector::session_watch watch);
  outbound_session(const outbound_session&) = delete;
  outbound_session& operator=(const outbound_session&) = delete;

  /// Starts to connect. An error means it will not.
  result<void> dial(transport& over);
  void close(bool flush) noexcept;

  const connector::session_info& info() const noexcept { return agreed_; }
  connector::session_info& info() noexcept { return agreed_; }
  const connector::session_watch& watch() const noexcept { return watch_; }
  /// Of the connector's; never 0.
  std::uint32_t number() const noexcept { return number_; }
  server_health& health() const noexcept { return health_; }

  /// The peer has taken up all links.
  bool ready() const noexcept;
  /// The link by which the topic is called: that to the loop where it is at home. Null if the peer
  /// did not say last that it serves it, or has not taken the link up.
  outbound_link* link_to(std::string_view exchange, std::string_view topic) noexcept;
  /// What the peer says last. A topic that has moved to another loop is called by the link there
  /// once what was sent by the old one has reached its endpoints, so that nothing overtakes it;
  /// what is written to the new link meanwhile waits.
  void set_topics(std::vector<wire::topic_home> topics);
  /// What the peer says last does not move there.
  void set_stuck(wire::stuck what);
  bool is_stuck(std::string_view exchange, std::string_view topic) const noexcept;

  /// The peer takes no new calls. When those that are out have been answered, the links close: by
  /// that the peer knows that nothing more comes.
  void leave();
  /// No call is out here.
  bool is_idle() const noexcept;

  // For its links.

  /// One more is ready.
  void attached();
  /// The answers to fences. Nothing of it may be touched afterwards.
  void fenced(std::span<const std::uint64_t> numbers);
  /// A link that is to leave has no call out any more.
  void emptied() const;
  /// The link has ended. Nothing of it may be touched afterwards.
  void lost(outbound_link& ended, const error& why);

 private:
  std::size_t index_of(const wire::topic_home& topic) const noexcept;
  const wire::topic_home* find(std::pair<std::string_view, std::string_view> name) const noexcept;
  void catch_up();
  void ask_for_fence(outbound_link& of);

  connector& home_;
  connector::session_info agreed_;
  connector::session_watch watch_;
  const std::uint32_t number_;
  server_health& health_;                              // Of its address.
  std::vector<std::unique_ptr<outbound_link>> links_;  // By the peer's loops; at least one.
  wire::stuck stuck_;
  std::vector<wire::topic_home> said_;  // If some are still called by another link than it says.
  // Not answered, by number. Until they are, no topic changes its link.
  std::map<std::uint64_t, outbound_link*> fences_;
  std::set<std::size_t> held_;  // For as long.
  std::uint64_t last_fence_ = 0;
  std::optional<error> ending_;
};

}  // namespace mailroom::rpc
