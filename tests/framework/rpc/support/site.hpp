#pragma once

#include <mailroom/tests/framework/executors/until.hpp>
#include <mailroom/tests/framework/rpc/support/direct_runner.hpp>

#include <mailroom/transports/local/local_transport.hpp>

#include <mailroom/framework/executors/blocking_pool.hpp>
#include <mailroom/framework/executors/event_loop.hpp>
#include <mailroom/framework/rpc/client.hpp>
#include <mailroom/framework/rpc/connector.hpp>
#include <mailroom/framework/rpc/data_server.hpp>
#include <mailroom/framework/rpc/dispatcher.hpp>
#include <mailroom/framework/rpc/endpoint.hpp>
#include <mailroom/framework/rpc/session_table.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mailroom::tests {

/// A node without a control plane and without CAF: one loop, one executor, endpoints, and both
/// sides of the data plane over the local transport. Sessions are opened by decree. Used by the
/// test's thread.
class site {
 public:
  struct options {
    std::string policy = "loop-bound";
    std::size_t workers = 2;
    std::size_t blocking_threads = 2;
    rpc::caller::limits bounds = {};       ///< For those who call us.
    rpc::connector::limits outgoing = {};  ///< For those whom we call.
  };

  site(std::string name, options with);
  explicit site(std::string name) : site(std::move(name), options{}) {}
  ~site();
  site(const site&) = delete;
  site& operator=(const site&) = delete;

  template <class Object>
  rpc::activation& serve(const target& at, endpoint_builder<Object>&& what) {
    return *add(at, std::move(what).build(at.topic)).front();
  }
  /// The same for an endpoint of several instances; all of them.
  template <class Object>
  std::vector<rpc::activation*> serve_all(const target& at, endpoint_builder<Object>&& what) {
    return add(at, std::move(what).build(at.topic));
  }

  /// Opens a session to `other`, for the topics that it serves now, and waits until calls can be
  /// made.
  void connect(site& other) { connect(other, 65'536); }
  void connect(site& other, std::uint32_t in_flight, const rpc::node_labels& labels = {});
  /// The data link to `other` ends as if the network had cut it.
  void cut(site& other);

  mailroom::client client(target_view to) { return mailroom::client(connector_, to); }

  /// Registers a session for a link that the test speaks itself: of a peer that knows credits and
  /// chunks, or not.
  rpc::session_id open_session(const std::string& peer, bool knows_all = false);
  const std::string& data_address() const noexcept { return address_; }

  /// Runs `what` on the loop's thread and waits for it.
  void on_loop(const std::function<void()>& what);

  const std::string& name() const noexcept { return name_; }
  executors::event_loop& loop() noexcept { return loop_; }
  executors::executor& executor() noexcept { return *executor_; }
  executors::blocking_pool& pool() noexcept { return pool_; }
  /// Ends all handlers, without waiting for them.
  void end();
  rpc::connector& connector() noexcept { return connector_; }
  rpc::data_server& server() noexcept { return server_; }
  rpc::transport& transport() noexcept { return transport_; }
  const rpc::dispatcher& dispatcher() const noexcept { return dispatcher_; }

  /// Ends all handlers and waits until they have; then everything closes. The destructor does it
  /// too.
  void close();

 private:
  std::vector<rpc::activation*> add(const target& at,
                                    std::shared_ptr<const rpc::endpoint_definition> what);
  rpc::activation& run(const target& at, std::shared_ptr<const rpc::endpoint_definition> what);

  const std::string name_;
  transports::local_transport transport_;
  executors::event_loop loop_;
  std::unique_ptr<executors::executor> executor_;
  executors::blocking_pool pool_;
  rpc::dispatcher dispatcher_;
  rpc::session_table sessions_;
  rpc::connector connector_;
  rpc::answer_store answers_{{}};
  const std::uint64_t credit_bytes_;
  rpc::data_server server_;
  std::unique_ptr<rpc::transport::port> port_;
  std::string address_;
  std::vector<std::unique_ptr<direct_runner>> runners_;
  std::uint32_t next_worker_ = 0;
  bool open_ = true;
};

/// A caller and a server whose endpoints run on an executor of `policy`; the server can call
/// itself.
struct pair {
  explicit pair(std::string_view policy, rpc::caller::limits bounds = {})
      : pair(site::options{.policy = std::string(policy), .bounds = bounds}) {}
  explicit pair(site::options of_back) : back("back", std::move(of_back)), front("front") {}

  /// Once all endpoints are served.
  void connect() {
    back.connect(back);
    front.connect(back);
  }
  mailroom::client client(target_view to) { return front.client(to); }

  site back;
  site front;
};

/// Threads of this process now.
std::size_t thread_count();

}  // namespace mailroom::tests
