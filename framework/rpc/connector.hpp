#pragma once

#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/rpc/balance.hpp>
#include <mailroom/framework/rpc/link_writer.hpp>
#include <mailroom/framework/rpc/node_labels.hpp>
#include <mailroom/framework/rpc/pending_call.hpp>
#include <mailroom/framework/rpc/server_health.hpp>
#include <mailroom/framework/rpc/session_table.hpp>
#include <mailroom/framework/rpc/target.hpp>
#include <mailroom/framework/rpc/transport.hpp>
#include <mailroom/framework/wire/body.hpp>
#include <mailroom/framework/wire/control.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailroom::rpc {

class outbound_session;

/// What arrives and leaves on the calling side, counted once each. What was sent ends in one of
/// `told`, `answered`, `expired` (but for those in `expired_unsent`), `lost` and `cancelled` (the
/// same), or is out; each attempt counts.
struct outbound_counters {
  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> told{0};  ///< Casts, and each server of a fanout.
  std::atomic<std::uint64_t> answered{0};
  std::atomic<std::uint64_t> refused{0};  ///< Of these with `busy`.
  std::atomic<std::uint64_t> failed{0};   ///< Of these with another failure.
  std::atomic<std::uint64_t> expired{0};
  std::atomic<std::uint64_t> expired_unsent{0};
  std::atomic<std::uint64_t> lost{0};
  std::atomic<std::uint64_t> cancelled{0};  ///< Given up by whoever wanted the answer.
  std::atomic<std::uint64_t> cancelled_unsent{0};
  std::atomic<std::uint64_t> out{0};         ///< Calls, now.
  std::atomic<std::uint64_t> retried{0};     ///< Attempts after the first.
  std::atomic<std::uint64_t> busy{0};        ///< Refused here, or left out by a fanout.
  std::atomic<std::uint64_t> unroutable{0};  ///< Without a server, and fanouts that reached none.
  std::atomic<std::uint64_t> late{0};        ///< Answers to calls that had ended.
};

/// The calling side of a node on one loop: picks a server, writes the call into its batch, and
/// finds the call again when the answer comes. Lives on the loop's thread, but for what is marked.
class connector final : private executors::event_loop::source, private executors::timer {
 public:
  struct limits {
    std::size_t backlog = std::size_t{64}
                          << 20U;  ///< Bytes waiting for one peer, or for any, before `busy`.
    std::size_t max_body = std::size_t{32} << 20U;
  };

  /// What the control plane has agreed with a peer.
  struct session_info {
    std::string address;            ///< The peer's published address: its key here.
    std::string node;               ///< As it calls itself.
    std::vector<std::string> data;  ///< Address of each I/O loop's data socket; at least one.
    session_id session{};
    wire::clock_relation clocks;
    std::uint32_t in_flight = 65'536;
    std::size_t max_body = std::size_t{32} << 20U;
    std::vector<wire::topic_home> topics;
    /// Tells it of a call that was given up; empty: nobody can. Called on the loop's thread.
    std::function<void(const wire::cancel& what)> cancel;
    wire::identity incarnation{};    ///< All 0: not told.
    node_labels labels;              ///< As a directory told them.
    std::uint64_t credit_bytes = 0;  ///< Of calls that each data link may send at first; 0: any.
    bool chunks = false;             ///< Large bodies go in pieces.
  };

  connector(executors::event_loop& loop, platform& host, const limits& bounds);
  ~connector();

  // For clients: any thread.

  /// The method's number and servers. Kept for the life of the connector. `errc::busy` beyond 65
  /// 536 names, or `wire::max_route_bytes` of them.
  result<const method_name*> name(const target& at, std::string_view method);

  /// Sends a call; the answer completes what is returned. Encodes `arguments` straight into the
  /// peer's frame when called on the loop's thread. Throws what packing the arguments throws.
  template <class... Args>
  ref<pending_call> call(const method_name& what,
                         const call_settings& with,
                         const std::string& server,
                         const Args&... arguments) {
    auto pending = make_ref<pending_call>(what, pending_call::kind::call, with);
    if (!server.empty()) {
      pending->server = server;
    }
    pending->within = call_origin::of_this_flow();
    if (loop_.on_loop_thread()) {
      if (wire::batch* into = begin(*pending)) {
        pack_into(*into, arguments...);
        finish(*pending);
        return pending;
      }
      if (pending->done()) {
        return pending;
      }
    }
    wire::pack_arguments(pending->arguments, arguments...);
    submit(pending);
    return pending;
  }

  /// Sends a cast; returns when it is in a live server's batch, or (from another thread) in the
  /// queue of the loop.
  template <class... Args>
  result<void> cast(const method_name& what,
                    bool fanout,
                    const call_settings& with,
                    const std::string& server,
                    const Args&... arguments) {
    const auto how = fanout ? pending_call::kind::fanout : pending_call::kind::cast;
    auto pending = make_ref<pending_call>(what, how, with);
    pending->server = server;
    wire::pack_arguments(pending->arguments, arguments...);
    return submit_cast(std::move(pending));
  }

  /// Nobody wants the answer of a call any more: unless it has come, the call ends here, and its
  /// server is told. @threadsafe
  void cancel(ref<pending_call> call) noexcept;

  time_point now() const noexcept;
  /// A number that no other object of any node has while it lives, to be told to others.
  std::uint64_t number_of(const void* object) const noexcept {
    return salt_ ^ reinterpret_cast<std::uintptr_t>(object);
  }
  executors::event_loop& loop() noexcept { return loop_; }
  const outbound_counters& counts() const noexcept { return counters_; }

  // For the control plane: on the loop's thread.

  /// Called when a session is up (`nullptr`) or has ended. Not called for sessions closed from
  /// here.
  using session_watch = std::function<void(const std::string& address, const error* ended)>;

  void open_session(transport& over, session_info agreed, session_watch watch);
  /// The peer takes no new calls: its session ends, and says so to its watch, when those that are
  /// out have been answered.
  void leave(const std::string& address);
  /// Ends a session; its calls fail with `why`.
  void close_session(const std::string& address, const error& why);
  void update_topics(const std::string& address, std::vector<wire::topic_home> topics);
  void update_clocks(const std::string& address, const wire::clock_relation& clocks);
  /// What does not move at the peer: others are preferred, and without one it is `busy`.
  void update_stuck(const std::string& address, const wire::stuck& what);

  /// An address is being tried for the first time; until all are settled, calls without a server
  /// wait.
  void expect(const std::string& address);
  /// The address is up, or could not be reached (`why`).
  void settled(const std::string& address, const error* why);

  /// The address is settled as not reached (`why`) unless it has come up meanwhile; it may later.
  void overdue(const std::string& address, const error& why);

  /// Calls `tell` once no address is being tried for the first time; at once if none is.
  void when_settled(std::function<void()> tell);

  /// Calls go to servers of this zone as long as one there can take them, but for those with a key.
  /// Empty: to any. Before any call.
  void set_zone(std::string zone) { zone_ = std::move(zone); }

  // For who finds servers when they are needed (connector_directory.cpp).

  /// Each topic that is called for the first time is told, on the thread that calls it; who finds
  /// no server for it waits until `set_awaited` says otherwise. Before any call.
  using topic_watch = std::function<void(const std::string& exchange, const std::string& topic)>;
  void watch_topics(topic_watch tell) { topic_watch_ = std::move(tell); }
  void set_awaited(const std::string& exchange, const std::string& topic, bool is);
  /// What else there is to say to those who find no server.
  void explain(std::string why) { explanation_ = std::move(why); }
  /// The address is tried no more: ends its session, and says nothing of it from now on.
  void forget(const std::string& address, const error& why);

  /// Nothing more goes out: what is pending leaves, everything that waits fails with
  /// `errc::cancelled`.
  void close() noexcept;
  /// The loop's thread has ended. Who calls from now on, or was about to, is told so at once.
  void retire() noexcept;

 private:
  friend class outbound_link;
  friend class outbound_session;

  struct slot {
    ref<pending_call> call;
    outbound_link* to = nullptr;
    std::uint32_t generation = 1;
    std::uint32_t next_free = 0;
    std::uint64_t written = 0;  ///< See `link_writer::written_messages`.
  };

  template <class... Args>
  void pack_into(wire::batch& into, const Args&... arguments) {
    try {
      wire::pack_arguments(into.bytes(), arguments...);
    } catch (...) {
      take_back();
      throw;
    }
  }

  void on_ready() noexcept override;
  void on_time() noexcept override;

  wire::batch* begin(pending_call& call);
  void finish(pending_call& call);
  void take_back() noexcept;
  void submit(ref<pending_call> call);
  void fail_submitted() noexcept;
  result<void> submit_cast(ref<pending_call> call);
  void route(ref<pending_call> call);
  bool hold(const pending_call& call) noexcept;
  void let_go(const pending_call& call) noexcept;
  void send(outbound_link& to, pending_call& call);
  std::optional<error> write(outbound_link& to, pending_call& call);
  void fan_out(pending_call& call);

  // Which server (connector_choice.cpp).
  /// Null: there is none; or all are full, then the call has ended.
  outbound_link* find_server(pending_call& call);
  /// At another one than this.
  outbound_link* find_room(pending_call& call, const outbound_link& full);
  outbound_link* pick(const pending_call& call);
  outbound_link* choose(topic_servers& servers, const pending_call& call);
  /// Into candidates_.
  void list_candidates(const topic_servers& servers, const pending_call& call, bool tried_too);
  outbound_link* by_key(topic_servers& servers, const pending_call& call);
  void share_out(topic_servers& servers) const;
  bool is_near(const outbound_link& server) const noexcept;
  /// Leaves those of our zone, if there are any.
  void keep_near(std::vector<outbound_link*>& servers) const;
  static bool was_tried(const pending_call& call, const outbound_link& at) noexcept;
  static bool others_than_tried(const pending_call& call, const outbound_link& last) noexcept;
  bool has_room(const outbound_link& to, const pending_call& call) const noexcept;
  void fail_as_busy(const outbound_link& to, pending_call& call);
  server_health& health_of(const std::string& address);
  void note_failure(const outbound_link& at, bool only_busy);

  // Again (connector_retries.cpp).
  /// Whether what went straight into a frame is worth a copy.
  static bool may_go_again(const pending_call& call) noexcept {
    return call.retries != 0 &&
           (call.what.servers->ready.size() > 1 || call.keyed || call.wait_for_ready);
  }
  /// A call that was out has failed: it ends, unless it is tried again.
  void failed(const outbound_link& at, ref<pending_call> call, error why);
  bool try_again(const ref<pending_call>& call, const error& why, const outbound_link& at);
  bool wait_for_return(const ref<pending_call>& call);
  bool rest(const ref<pending_call>& call, duration pause);
  duration pause_before(std::uint8_t attempt, duration longest_of_first);
  void end(pending_call& call, const error& why);
  void end_expired_unsent(pending_call& call, bool waited);
  void send_rested();
  void cancel_here(pending_call& call) noexcept;

  bool is_settled(const topic_servers& servers) const noexcept;
  /// False: others that may serve it are still being asked, and it pays to wait for them.
  bool may_choose(topic_servers& servers, deadline until);
  static bool is_held(const topic_servers& servers) noexcept {
    return !servers.may_choose && (!servers.ready.empty() || servers.stuck != 0);
  }
  void route_those_that_may_choose();
  bool waits_for_servers(const ref<pending_call>& fanout);
  void wait_for_server(ref<pending_call> call);
  error no_server(const pending_call& call) const;
  /// Of those that are served here and now; empty if none is near.
  std::string nearest_topic(const wire::route& names) const;
  bool only_stuck_serve(const pending_call& call) const;
  void look_up(topic_servers& servers);
  void servers_changed();
  void look_for_expired();
  void watch_deadline(deadline until) noexcept;
  std::uint64_t keep(pending_call& call, outbound_link& to);
  /// The call that `from` answers; none if it has ended, or was not sent there.
  ref<pending_call> take(std::uint64_t id, const outbound_link& from) noexcept;
  /// The call that was kept under `id` was not sent after all.
  void give_up(std::uint64_t id) noexcept;
  void free_slot(std::size_t index) noexcept;
  void left(const std::string& address, std::uint32_t number);
  void ended(outbound_link& link, const error& why);
  void ended(outbound_session& session, const error& why);
  void fail_calls_of(const outbound_session& session, const error& why);
  void fail_calls_of(const outbound_link& link, const error& why);
  template <class Of>
  void fail_calls_if(const Of& of, const error& why);

  executors::event_loop& loop_;
  platform& host_;
  const limits limits_;
  std::uint64_t salt_ = 0;  // Random; of this connector.
  outbound_counters counters_;

  std::mutex names_mutex_;
  std::deque<topic_servers>
      topics_;  // Guarded by names_mutex_ (the list; see topic_servers for the rest).
  std::map<std::pair<std::string_view, std::string_view>, topic_servers*>
      topic_index_;                // By exchange and topic. Guarded by names_mutex_.
  std::deque<method_name> names_;  // Guarded by names_mutex_.
  std::size_t names_bytes_ = 0;    // Guarded by names_mutex_.
  std::map<std::string, const method_name*, std::less<>> name_index_;  // Guarded by names_mutex_.

  std::atomic<pending_call*> submitted_{
      nullptr};  // From other threads, newest first. Each is a reference.
  std::atomic<std::size_t> held_bytes_{0};  // Of submitted_ and waiting_, the calls themselves too.

  std::vector<slot> slots_;
  std::uint32_t free_ = 0;  // Index + 1 of the first free slot; 0: none.
  outbound_link* writing_to_ = nullptr;
  std::uint64_t writing_id_ = 0;

  std::deque<ref<pending_call>> waiting_;                 // For a server to come up.
  std::multimap<time_point, ref<pending_call>> resting_;  // Between two attempts.
  std::vector<outbound_link*> candidates_;                // While one is chosen.
  std::map<std::string, server_health> health_;           // By address; outlives the sessions.
  time_point rests_until_ = time_point::min();            // The last of these.
  bool someone_rests_ = false;
  dice dice_{0};
  std::uint64_t last_key_ = 0;
  std::uint64_t key_salt_ = 0;  // Random.
  std::uint32_t last_session_ = 0;
  std::map<std::string, std::unique_ptr<outbound_session>> sessions_;
  std::map<std::string, std::string> unsettled_;  // Address -> empty, or why it is not reachable.
  std::atomic<std::size_t> unsettled_count_{0};
  std::function<void()> when_settled_;
  topic_watch topic_watch_;
  std::string explanation_;
  std::string zone_;
  time_point watched_ = time_point::max();
  std::atomic<bool> look_{false};
  std::atomic<bool> retired_{false};
  bool closed_ = false;
};

}  // namespace mailroom::rpc
