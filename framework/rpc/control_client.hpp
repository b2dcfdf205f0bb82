#pragma once

#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/rpc/connector.hpp>
#include <mailroom/framework/rpc/link_writer.hpp>
#include <mailroom/framework/rpc/loop_alarm.hpp>
#include <mailroom/framework/rpc/reconnect_pause.hpp>
#include <mailroom/framework/rpc/transport.hpp>
#include <mailroom/framework/wire/bytes.hpp>
#include <mailroom/framework/wire/clock_estimate.hpp>
#include <mailroom/framework/wire/control.hpp>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace mailroom::rpc {

/// One node that we call, by its published address: connects, says hello, keeps the session alive
/// with heartbeats, and begins anew after a growing pause when it ends. Lives on the control
/// thread; what concerns calls it posts to the connector's loop.
class control_client final : public link_observer {
 public:
  struct options {
    std::string address;
    std::string node;              ///< Ours.
    wire::identity incarnation{};  ///< Ours.
    std::size_t max_body = std::size_t{32} << 20U;
    /// Before the first new attempt; doubled with each up to the longest (see `reconnect_pause`). A
    /// session that lasts for twice the longest, or ends with a good-bye, begins anew.
    duration first_pause = std::chrono::milliseconds(50);
    duration longest_pause = std::chrono::seconds(5);
    /// What an earlier client of this address has tried; null: there was none.
    std::shared_ptr<reconnect_pause> pause = {};
    duration hello_timeout = std::chrono::seconds(2);  ///< For its answer, and for that to attach.
    std::function<std::vector<wire::loop_state>()> loops = {};  ///< How ours do, for heartbeats.
    bool data_links = true;   ///< False: questions are all there is to send, no calls.
    node_labels labels = {};  ///< The peer's, as a directory told them.
    /// Told on the control thread when a session is up, with its data links if it has some (null),
    /// and when there is none, or not in time (why). Must not destroy who tells it.
    std::function<void(const error* why)> changed = {};
  };

  control_client(
      executors::event_loop& loop, platform& host, transport& over, connector& calls, options with);
  ~control_client();

  void start();
  void close() noexcept;
  /// Whether a session is up, with its data links.
  bool is_up() const noexcept { return phase_ == phase::up; }
  /// The peer is known to be there: if it rests between two attempts the next one is made now, but
  /// not more than one in a heartbeat. True if an attempt is under way.
  bool hurry();

  /// What is known of the peer, for people.
  struct peer_state {
    std::string node;  ///< As it calls itself; empty until it was reached once.
    bool connected = false;
    std::string why_not;  ///< If it is not.
    std::vector<wire::loop_state> loops;
  };
  peer_state state() const {
    return {node_, is_connected(), is_connected() ? std::string() : why_not_, loops_of_peer_};
  }

  /// Asks the peer something; the answer comes on the control thread. While an attempt to connect
  /// is under way it waits for that; the data link it does not need. `unreachable` with the reason
  /// if there is no session, `too_large` for what the peer would not read.
  using answer = std::function<void(result<bytes>)>;
  void admin(std::string verb, std::span<const std::byte> arguments, answer tell);

  /// Sends a heartbeat at once, or when an attempt to connect has succeeded; tells its round trip.
  using round_trip = std::function<void(result<duration>)>;
  void ping(round_trip tell);

 private:
  enum class phase : std::uint8_t { resting, dialling, greeting, attaching, up, parting, closed };

  void on_open(link& on) noexcept override;
  void on_frame(link& on, wire::frame received) noexcept override;
  void on_writable(link& on) noexcept override;
  void on_closed(link& on, const error& why) noexcept override;

  void dial();
  result<void> read(const wire::frame& received);
  result<void> on_message(const wire::message& each, const wire::frame& whole);
  void on_welcome(wire::welcome agreed);
  void on_pong(const wire::pong& received);
  void session_changed(std::uint64_t epoch, const error* ended);
  void on_alarm_of_session();
  void beat();
  void write_ping(std::int64_t now);
  bool is_connecting() const noexcept {
    return phase_ == phase::dialling || phase_ == phase::greeting;
  }
  bool is_connected() const noexcept { return phase_ == phase::attaching || phase_ == phase::up; }
  result<void> on_admin_reply(const wire::message& received, const wire::frame& whole);
  void tell_connecting(const error* why);
  void fail_questions(const error& why);
  bool has_questions() const noexcept { return !asked_.empty() || !pings_.empty(); }
  void end_if_answered();
  void is_up_now();
  void tell_changed(const error* why) const;
  void end(const error& why);
  void part();
  void rest();
  void on_alarm();

  executors::event_loop& loop_;
  platform& host_;
  transport& over_;
  connector& calls_;
  const options options_;
  phase phase_ = phase::resting;
  link* link_ = nullptr;
  std::unique_ptr<link_writer> writer_;
  loop_alarm alarm_;
  const std::shared_ptr<reconnect_pause> pause_;
  std::uint32_t peers_of_peer_ = 0;  // Who will come back with us if it goes.
  bool orderly_ = false;             // It has said good-bye, or that it will.
  bool leaving_ = false;             // It takes no new calls;
  bool left_ = false;                // and has answered the old ones: the data links have closed.
  std::optional<error> ending_;      // The data links have ended, while questions were out.
  std::uint64_t epoch_ = 0;          // Of the session; tells late news of an older one.
  time_point heard_;
  time_point dialled_;
  time_point attach_by_;  // `max` when the connector has been told that it takes longer.
  duration heartbeat_ = std::chrono::seconds(1);
  duration dead_after_ = std::chrono::seconds(3);
  wire::clock_estimate clocks_;
  std::string node_;  // The peer's.
  std::vector<wire::loop_state> loops_of_peer_;
  std::uint64_t next_admin_ = 1;
  std::map<std::uint64_t, answer> asked_;
  std::map<std::int64_t, round_trip> pings_;  // By the time they carry.
  // What came while an attempt was under way: asked when there is a session (null), or told why
  // not.
  std::vector<std::function<void(const error* why)>> connecting_;
  std::string why_not_;  // What became of the last session, or attempt.
  bool complained_ = false;
};

}  // namespace mailroom::rpc
