#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/rpc/client.hpp>
#include <mailroom/framework/rpc/endpoint.hpp>
#include <mailroom/framework/rpc/endpoint_options.hpp>
#include <mailroom/framework/rpc/node_labels.hpp>
#include <mailroom/framework/rpc/target.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mailroom {

/// An executor of a node's own, beside those that are called as their policy.
struct executor_options {
  std::string name;
  std::string policy;             ///< "cooperative", "work-stealing" or "loop-bound".
  std::size_t workers = 0;        ///< Threads of work-stealing; 0: one per core.
  std::size_t spare_workers = 0;  ///< Of work-stealing: see `node_options::spare_workers`.
};

/// A server that a node is told of by its configuration.
struct static_server {
  std::string exchange{rpc::default_exchange};
  std::string topic;
  std::string address;  ///< Published; connected to when the topic is first called.
};

/// What a node is made of. Every field can stay as it is.
struct node_options {
  std::string name = {};  ///< How peers call it; default: host name and process id.
  std::string listen =
      {};  ///< "tcp://127.0.0.1:7001", port 0 for any, "local://name"; empty: it only calls.
  std::vector<std::string> connect = {};  ///< Published addresses of the nodes that it calls.
  duration connect_within = std::chrono::minutes(1);  ///< `start` waits for them no longer.
  /// Addresses of directories (services/directory), which know nothing of each other. The node
  /// registers with all of them, and finds there who serves what it calls; it connects to these
  /// when a topic is first called.
  std::vector<std::string> directory = {};
  std::vector<static_server> static_servers = {};  ///< The same, known beforehand.
  std::string advertise = {};    ///< What is registered; empty: the address at which it listens, at
                                 ///< the host that a directory sees if that is all interfaces.
  rpc::node_labels labels = {};  ///< Told to callers through directories.
  std::string executor = "loop-bound";  ///< "cooperative", "work-stealing", "loop-bound", or one
                                        ///< of `executors`; see `placement`.
  /// I/O loops: threads of their own, each with a data socket; they are what loop-bound executors
  /// run on. A topic is at home on one: its calls arrive there, and its endpoints, if they are
  /// loop-bound, run there. Calls to other nodes leave by the first.
  std::size_t loops = 1;
  std::size_t workers = 0;  ///< Threads of a work-stealing executor; 0: one per core.
  /// Threads of a work-stealing executor that stand in for those which the watchdog finds stuck in
  /// a handler, at most: other endpoints go on at the same number of threads until that handler
  /// ends. The first is started when it is needed.
  std::size_t spare_workers = 0;
  std::size_t blocking_threads = 0;  ///< At most, for blocking handlers and offloaded functions;
                                     ///< 0: four more than there are cores, 32 at most.
  std::vector<executor_options> executors =
      {};  ///< More of them, so that one cannot starve another.
  /// Topics, and the executor that serves each; outranks what the endpoint says (`placed_on`).
  /// "loop-bound" is whichever loop has its turn, "loop-bound/1" the second.
  std::map<std::string, std::string> placement = {};
  /// Topics, and what else the deployment says about their endpoints; outranks what these say.
  std::map<std::string, endpoint_options> endpoints = {};
  duration heartbeat = std::chrono::seconds(1);  ///< A peer is dead after three missed.
  /// An endpoint of whose waiting calls none is started for so long is stuck, and so is an I/O loop
  /// that a handler keeps for so long: peers call other nodes, new calls are `errc::busy`. To be
  /// longer than exclusive and blocking handlers may well take. Zero: never.
  duration stuck_after = std::chrono::seconds(1);
  /// A handler that keeps its thread for longer is reported once: a log line `stuck_turn` with its
  /// name, executor, call and stack, innermost function first (addresses, if the program was
  /// stripped); zero: none is. Blocking handlers and those that wait keep none. The stack is taken
  /// in a signal handler: a system call that it sits in may return EINTR, see signal(7).
  duration watchdog = std::chrono::seconds(1);
  std::size_t max_body = std::size_t{32} << 20U;  ///< Bytes of one body.
  std::uint32_t in_flight_per_peer =
      65'536;  ///< Calls of one peer not yet answered; over it `errc::busy`.
  std::size_t backlog_per_peer = std::size_t{64}
                                 << 20U;  ///< Bytes not taken by one peer, before it is cut off
                                          ///< (answers) or `errc::busy` (calls).
  /// Answers to idempotent calls that are kept, in bytes and for how long: a call that comes again,
  /// since its caller has lost the first answer, is told it instead of being run again. 0: none.
  std::size_t kept_answers = std::size_t{16} << 20U;
  duration answers_kept_for = std::chrono::minutes(2);
  /// Called when an operator asks that this node drains (`mailroom drain`): on the control thread,
  /// so it only asks whoever runs the node to `stop` it. Without it the node refuses.
  /// `run_service` ends the process as SIGTERM does.
  std::function<void()> asked_to_drain = {};
};

namespace rpc {
class control_server;
}
namespace executors {
class event_loop;
}
class platform;

/// What an operation of a node came to. Unlike other results it may be left unread: what `serve`
/// could not do is reported again by `start`, and a node that is not started says so to whoever
/// uses it.
class node_outcome : public result<void> {
 public:
  using result<void>::result;
  // NOLINTNEXTLINE(google-explicit-constructor)
  node_outcome(result<void> what) : result<void>(std::move(what)) {}
};

/// One process's place in the network: executors, I/O loop, transports, the endpoints that it
/// serves and the nodes that it calls. No thread or socket exists before `start`. Methods are for
/// one thread at a time unless marked.
class node {
 public:
  explicit node(node_options with);
  ~node();  ///< Stops, with a limit of five seconds.
  node(const node&) = delete;
  node& operator=(const node&) = delete;

  /// Serves an endpoint behind `at.topic`. Before or after `start`. Errors: `invalid_target` (no
  /// topic, bad version, a name over 4096 bytes), `invalid_value` (placed on an executor that does
  /// not exist, or deployed with several instances though it must be alone), `too_large` (more
  /// topics than peers can be told of: 65 536, or 14 MiB of names); an endpoint whose constructor
  /// throws is `handler_failed`.
  template <class Object>
  // NOLINTNEXTLINE(performance-unnecessary-value-param): it is moved on.
  node_outcome serve(target at, endpoint_builder<Object>&& what) {
    auto kept = std::make_shared<endpoint_builder<Object>>(std::move(what));
    return add(std::move(at),
               [kept](const std::string& topic, const endpoint_options& deployed) -> built {
                 if (auto good = kept->deploy(deployed); !good) {
                   return good.error();
                 }
                 return std::move(*kept).build(topic);
               });
  }

  /// Opens the listening address and begins to connect; returns when each address of `connect` is
  /// up or has failed once, or after `connect_within`. It is no error if one has failed: it is
  /// tried again, and calls say so.
  /// Errors: `invalid_value` (unknown executor, bad address), `io`, and what `serve` failed with
  /// before.
  node_outcome start();

  /// Where it listens, with the port that the system chose. Empty if it does not. After `start`.
  const std::string& address() const noexcept;
  const std::string& name() const noexcept;

  /// Something that lives on the control thread while the node runs, made when it starts and
  /// destroyed when it has stopped: more verbs for its control address. Before `start`.
  using control_part = std::function<std::shared_ptr<void>(
      rpc::control_server& verbs, executors::event_loop& loop, platform& host)>;
  void extend_control(control_part make);

  /// Drains: peers are told, no new call starts, running handlers end, answers leave. What still
  /// runs after `limit` is cancelled. True if everything ended by itself. Blocks at most little
  /// longer than `limit`. A stopped node can be started again; clients made before go on to say
  /// that theirs has stopped. Refused, with a line in the log and false, in a handler: it would
  /// wait for its own end.
  bool stop(duration limit = std::chrono::seconds(5));
  /// A stop has left handlers running that do not end. What they use is kept, but statics would go
  /// under their feet, or wait for them, when the process exits: let it end by `std::_Exit`.
  bool is_hung() const noexcept;

  /// Moves the endpoints of a topic (of every exchange) to another executor while they serve: a
  /// policy's, or one of `node_options::executors`; or to another loop ("loop-bound/1"), where its
  /// calls arrive soon after. Nothing is lost or reordered: calls that wait
  /// and suspended coroutines go along; parked fibers end where they are, while later calls wait.
  /// Returns when the first turn has begun there, and no handler starts at the old one any more.
  /// Errors: `no_server` (nobody serves the topic here), `invalid_value` (no such executor; the
  /// message names those that exist), `expired` (after `limit` fibers were still parked, a handler
  /// ran, or the executor ran no turns; everything stays where it was, and the message says why),
  /// `stopping`. Blocks, for `limit` or, if instances have to go back, twice that; not from a
  /// handler. @threadsafe after `start`
  node_outcome place(const std::string& topic,
                     const std::string& executor,
                     duration limit = std::chrono::seconds(5));

  /// Runs a detached task as an actor of its own on the node's executor; the future is ready when
  /// it ended. @threadsafe after `start`
  std::future<void> run(std::string name, std::function<task<void>(context&)> body);

  /// Asks the control plane of the node at `address` (one of `connect`): "describe", "executors",
  /// "stats", "ledger". The value is MessagePack, to be read with `wire::unpack` or
  /// `wire::json_from_body`. It goes past all executors and loops: it answers even if they are
  /// stuck. Errors: `unreachable`, `expired`, or what the node answers. Blocks. @threadsafe after
  /// `start`
  result<bytes> admin(const std::string& address,
                      std::string_view verb,
                      duration timeout = std::chrono::seconds(5));
  /// The same with an argument.
  result<bytes> admin(const std::string& address,
                      std::string_view verb,
                      const bytes& argument,
                      duration timeout = std::chrono::seconds(5));

  /// The round trip of one heartbeat to the node at `address`, over the control plane. Blocks.
  /// @threadsafe after `start`
  result<duration> ping(const std::string& address, duration timeout = std::chrono::seconds(5));

  /// For `client stock{node, {.topic = "inventory"}}`. After `start`.
  operator rpc::connector&();  // NOLINT(google-explicit-constructor): a client is made from a node.

 private:
  using built = result<std::shared_ptr<const rpc::endpoint_definition>>;
  using builder = std::function<built(const std::string& topic, const endpoint_options& deployed)>;
  result<void> add(target at, const builder& build);

  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace mailroom
