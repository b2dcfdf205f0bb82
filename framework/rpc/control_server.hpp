#pragma once

#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/rpc/loop_alarm.hpp>
#include <mailroom/framework/rpc/session_table.hpp>
#include <mailroom/framework/rpc/transport.hpp>
#include <mailroom/framework/rpc/vigil.hpp>
#include <mailroom/framework/wire/control.hpp>

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailroom::rpc {

/// Heartbeats that a peer may miss before it is dead.
inline constexpr int missed_until_dead = 3;

/// The published address of a node: answers hello, heartbeats and what operators ask. Lives on the
/// control thread, which runs no handlers, so it answers while every executor is stuck.
class control_server final : public acceptor {
 public:
  /// Answers one verb: a MessagePack value. Called on the control thread; must not block.
  using verb = std::function<result<wire::buffer>(std::span<const std::byte> arguments)>;

  /// Takes the answer of a verb, once; on the control thread.
  using answer = std::function<void(result<wire::buffer>)>;
  /// A verb that answers later.
  using slow_verb = std::function<void(std::span<const std::byte> arguments, answer)>;
  /// The same, for one that has to know whence it is asked: `link::peer_host`, empty if the
  /// transport cannot tell.
  using peer_verb =
      std::function<void(std::span<const std::byte> arguments, std::string_view peer_host, answer)>;

  struct identity {
    std::string node;
    wire::identity incarnation{};
    duration heartbeat = std::chrono::seconds(1);
    std::uint64_t max_frame = 0;
    std::uint64_t max_body = 0;
    std::uint32_t in_flight = 0;
    std::uint64_t credit_bytes = 0;  ///< 0: nobody needs credit.
  };

  /// `ended` is called when a session is over, so that its data link can be closed.
  control_server(executors::event_loop& loop,
                 platform& host,
                 session_table& sessions,
                 identity self,
                 std::function<void(const session_id&)> ended);
  ~control_server();

  link_observer* on_accept(link& opened) noexcept override;

  /// Asked before each frame, since what it brings may have lain there while this process stood
  /// still: `end_all` is to be called then.
  void watch(vigil& by) noexcept { awake_ = &by; }
  /// All sessions: the peers have given this process up.
  void end_all(duration stood_still);

  void add_verb(std::string name, verb how) {
    add_slow_verb(std::move(name),
                  [how = std::move(how)](std::span<const std::byte> arguments, const answer& tell) {
                    tell(how(arguments));
                  });
  }
  void add_slow_verb(std::string name, slow_verb how) {
    add_peer_verb(std::move(name),
                  [how = std::move(how)](std::span<const std::byte> arguments,
                                         std::string_view,
                                         const answer& tell) { how(arguments, tell); });
  }
  void add_peer_verb(std::string name, peer_verb how) {
    verbs_.insert_or_assign(std::move(name), std::move(how));
  }

  /// Where data links go, by the scheme that the peer came over: one address for each loop.
  void set_data(std::vector<std::string> addresses) { data_ = std::move(addresses); }

  /// Who hears of calls that a session's peer has given up.
  using cancel_watch = std::function<void(const session_id&, std::vector<wire::cancel>)>;
  void on_cancel(cancel_watch watch) { cancelled_ = std::move(watch); }

  /// What is served from now on; told to all peers.
  void set_topics(std::vector<wire::topic_home> topics);

  /// What is known of a peer, for people.
  struct peer_state {
    std::string node;
    std::string address;
    std::vector<wire::loop_state> loops;
  };
  std::vector<peer_state> peers() const;

  /// How our loops do, for heartbeats.
  void set_loops(std::function<std::vector<wire::loop_state>()> loops) {
    loops_ = std::move(loops);
  }
  /// What does not move from now on; told to all peers.
  void set_stuck(const wire::stuck& what);

  /// Tells all peers that no new calls are welcome; the sessions of those that were told. Their
  /// data links close when they have been answered.
  std::vector<session_id> go_away(const std::string& reason, duration until);

  /// Says good-bye and closes all links.
  void close() noexcept;

 private:
  class session;
  friend class session;

  void gone(session& ended) noexcept;
  bool stood_still();
  void look_for_dead();
  void watch(time_point silent_at) noexcept;
  wire::identity random_identity();

  executors::event_loop& loop_;
  platform& host_;
  session_table& sessions_;
  const identity self_;
  std::function<void(const session_id&)> ended_;
  cancel_watch cancelled_;
  std::map<std::string, peer_verb, std::less<>> verbs_;
  std::vector<std::string> data_;
  std::vector<wire::topic_home> topics_;
  std::function<std::vector<wire::loop_state>()> loops_;
  wire::stuck stuck_;
  vigil* awake_ = nullptr;
  bool draining_ = false;
  loop_alarm alarm_;
  time_point watched_ = time_point::max();
  std::map<session*, std::unique_ptr<session>> links_;
};

}  // namespace mailroom::rpc
