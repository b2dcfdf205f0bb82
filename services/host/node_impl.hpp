#pragma once

#include <mailroom/services/host/node.hpp>

#include <mailroom/actors/runtime.hpp>
#include <mailroom/transports/local/local_transport.hpp>
#include <mailroom/transports/zmq/zmq_transport.hpp>

#include <mailroom/framework/directory/membership.hpp>
#include <mailroom/framework/executors/blocking_pool.hpp>
#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/executors/executor.hpp>
#include <mailroom/framework/executors/turn_watch.hpp>
#include <mailroom/framework/observability/ledger.hpp>
#include <mailroom/framework/rpc/answer_store.hpp>
#include <mailroom/framework/rpc/connector.hpp>
#include <mailroom/framework/rpc/control_client.hpp>
#include <mailroom/framework/rpc/control_server.hpp>
#include <mailroom/framework/rpc/data_server.hpp>
#include <mailroom/framework/rpc/dispatcher.hpp>
#include <mailroom/framework/rpc/health.hpp>
#include <mailroom/framework/rpc/session_table.hpp>
#include <mailroom/framework/rpc/vigil.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace mailroom {

/// Runs `task` on the loop's thread and waits for it.
void run_on(executors::event_loop& loop, const std::function<void()>& task);

/// An executor as people name it: "heavy", or "loop-bound/1" for one of its loops.
struct executor_name {
  std::string name;
  std::optional<std::uint32_t> loop;
};
/// Errors: `invalid_value`, which names the executors there are, or the loops.
result<executor_name> read_executor_name(const std::string& text,
                                         const std::vector<executor_options>& own,
                                         std::size_t loops);

/// An option with a value that no node can have: its name ("heartbeat"), and what would be right.
struct wrong_option {
  std::string name;
  error why;
};
std::optional<wrong_option> find_wrong(const node_options& of);

class topic_move;

/// Everything that exists between `start` and `stop` of a node. Members are in the order in which
/// they need each other; destruction goes the other way.
class running_node {
 public:
  struct served {
    std::shared_ptr<const target> at;
    std::shared_ptr<const rpc::endpoint_definition> what;
  };

  running_node(const node_options& with,
               const std::vector<node::control_part>& parts,
               platform& host);
  ~running_node();

  /// Executors, loops and the actor system; then endpoints may be served.
  result<void> open();
  result<void> serve(const std::vector<served>& all);
  /// Opens the ports and connects to the others.
  result<void> join();
  bool drain(duration limit);
  /// False if something still runs that cannot be ended: then nothing may be destroyed.
  bool close();

  /// What clients refer to. They outlive a run of their node, and are told that it has ended.
  struct ended_calls {
    std::unique_ptr<executors::event_loop> loop;
    std::unique_ptr<rpc::connector> calls;
  };
  /// After `close`.
  ended_calls take_calls() { return {std::move(loops_.front()), std::move(connector_)}; }

  std::future<void> run(std::string name, std::function<task<void>(context&)> body);
  result<void> place(const std::string& topic, const std::string& executor, duration limit);
  result<bytes> admin(const std::string& address,
                      std::string verb,
                      const bytes& argument,
                      duration timeout);
  result<duration> ping(const std::string& address, duration timeout);

  const std::string& address() const noexcept { return address_; }
  rpc::connector& calls() noexcept { return *connector_; }

 private:
  struct detached {
    std::shared_ptr<const rpc::endpoint_definition> what;
    std::unique_ptr<actors::endpoint> actor;
    std::shared_ptr<std::atomic<bool>> ended;
  };

  friend class topic_move;

  /// One I/O loop's share of the data plane. Used on its thread, but for what is thread-safe.
  struct data_plane {
    std::unique_ptr<rpc::data_server> server;
    std::vector<std::unique_ptr<rpc::transport::port>> ports;
  };
  /// Where an endpoint is served, and the loop where its topic is at home.
  struct placed {
    actors::runtime::place at;
    std::uint32_t loop;
  };

  executors::event_loop& loop_of_calls() noexcept { return *loops_.front(); }
  /// Runs `task` for each I/O loop, on its thread, one after the other.
  void on_each_loop(const std::function<void(std::size_t loop)>& task);
  result<executors::executor*> executor_for(const std::string& name);
  result<actors::runtime::place> place_for(const std::string& executor);
  result<placed> home_of(const served& what);
  /// True if its topic is new. Under endpoints_mutex_.
  bool add_instances(const served& of, const placed& home);
  std::uint32_t next_loop(bool for_loop_bound);
  /// `place`, at this loop if it leaves open which.
  static actors::runtime::place at_loop(const actors::runtime::place& place, std::uint32_t loop);
  struct moving_endpoint {
    actors::endpoint* which;
    std::uint32_t loop;  // Where its topic is at home.
  };
  /// Under endpoints_mutex_.
  std::vector<moving_endpoint> endpoints_of(const std::string& topic);
  /// Moves all endpoints of a topic; `tell` hears of the outcome on the control thread.
  void move(const std::string& topic,
            const std::string& executor,
            duration limit,
            std::function<void(const result<void>&)> tell);
  // Control thread, as moves_.
  void begin_next_move(const std::string& topic);
  void ended(const topic_move& move);
  /// What has not set out stays where it is, now and from now on.
  void end_moves();
  rpc::transport* transport_for(const std::string& address);
  result<void> open_ports();
  /// A port on each loop, the first at `address`.
  result<std::vector<std::string>> open_data(rpc::transport& over, const std::string& address);
  result<void> connect();
  void join_self();
  /// Looks after loops and endpoints, and after this process itself. Control thread.
  void start_health();
  std::uint64_t arrived() const;

  // Others that are found in directories (node_directory.cpp). Control thread, but for the first.
  void open_membership();
  void join_directories();
  void leave_directories(bool only_drains);
  bool drain_until(time_point until, duration limit, std::string& left);
  void add_directory(const std::string& address);
  directory::registration registration() const;
  rpc::control_client::options client_of(const std::string& address);
  void found(const directory::registration& server);
  std::shared_ptr<rpc::reconnect_pause> pause_for(const rpc::control_client::options& with);
  void gone(const std::string& address);
  void changed(const std::string& address, const error* why);
  void part_from(const std::string& address);
  bool is_configured(const std::string& address) const;
  /// Peers are told; the future is ready when this node itself knows.
  std::future<void> topics_changed();
  /// To the loops that the calls went to.
  void pass_on(const rpc::session_id& session, const std::vector<wire::cancel>& given_up);
  void add_verbs();
  void start_watchdog();
  void tell_of(const executors::stuck_turn& what) const;
  wire::buffer describe();
  wire::buffer told_of_drain() const;
  wire::buffer executors_table();
  /// How busy executors have been so far, now and then, so that the table can say how busy they
  /// are.
  void note_busy(time_point now);
  wire::buffer stats() const;
  ledger counted() const;
  std::uint64_t counted_for() const;  // Milliseconds.
  /// The same when all that is still open has been given up.
  ledger final_ledger() const;
  wire::buffer peers() const;
  void tell_of_unused_settings() const;
  std::string near_topic(const std::string& topic) const;  // " (nearest: ...)", if one is.
  bool holds(const actors::endpoint& which) const;         // Under endpoints_mutex_.
  void each_endpoint(const std::function<void(actors::endpoint&)>& see);
  bool wait_until_quiet(time_point until);
  void wait_until_answers_have_left(time_point until);
  void wait_until_callers_have_left(const std::vector<rpc::session_id>& callers, time_point until);
  std::string what_still_runs();

  const node_options& options_;
  const std::vector<node::control_part>& make_parts_;
  platform& host_;
  wire::identity incarnation_{};
  // Of the wall clock, since the two of which one is newer may not share another.
  const std::chrono::milliseconds born_ = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  std::string address_;
  std::string self_address_;

  std::vector<std::unique_ptr<executors::event_loop>> loops_;
  executors::event_loop control_loop_;
  transports::local_transport local_;
  transports::zmq_transport zmq_;
  rpc::session_table sessions_;
  rpc::dispatcher dispatcher_;
  rpc::answer_store answers_;
  std::optional<rpc::vigil> awake_;
  std::unique_ptr<executors::turn_watch> watchdog_;  // Null: there is none.
  std::map<std::string, std::unique_ptr<executors::executor>>
      executors_;  // By name. Guarded by endpoints_mutex_ once others can ask.
  // What `note_busy` has seen, oldest first. Control thread.
  std::map<std::string, std::deque<std::pair<time_point, duration>>> busy_;
  time_point busy_noted_;
  std::optional<actors::runtime::place> usual_;  // Where those go that are placed nowhere else.
  std::uint32_t next_bound_ = 0;  // Loops by turns, for loop-bound endpoints and for the others.
  std::uint32_t next_other_ = 0;  // Both guarded by endpoints_mutex_.
  executors::blocking_pool pool_;
  std::unique_ptr<rpc::connector> connector_;
  std::vector<data_plane> data_;  // By loops_.
  std::unique_ptr<rpc::control_server> control_server_;
  std::unique_ptr<rpc::health> health_;
  std::unique_ptr<rpc::transport::port> control_port_;
  std::map<std::string, std::unique_ptr<rpc::control_client>> peers_;
  std::map<std::string, std::unique_ptr<rpc::control_client>> directories_;
  std::vector<std::unique_ptr<rpc::control_client>> parted_;  // Peers, until nobody refers to them.
  std::map<std::string, std::shared_ptr<rpc::reconnect_pause>> pauses_;  // Of those found.
  std::unique_ptr<directory::membership> membership_;                    // Null: no directories.
  bool drains_ = false;  // Directories have been told, or will be. Control thread.
  struct drain_outcome {
    bool drained = false;
    std::string left;  // What was cancelled.
  };
  std::optional<drain_outcome> drained_;  // Control thread, as those who wait.
  std::vector<rpc::control_server::answer> wait_for_drain_;
  std::vector<std::shared_ptr<topic_move>> moves_;  // In the order asked. Control thread.
  bool no_more_moves_ = false;                      // Control thread.
  std::vector<std::shared_ptr<void>> parts_;
  std::unique_ptr<actors::runtime> runtime_;

  std::mutex endpoints_mutex_;
  std::vector<std::unique_ptr<actors::endpoint>> endpoints_;  // Guarded by endpoints_mutex_.
  std::vector<detached> detached_;                            // Guarded by endpoints_mutex_.

  std::mutex quiet_mutex_;
  std::condition_variable quiet_;

  time_point started_;
  bool loops_run_ = false;
};

}  // namespace mailroom
