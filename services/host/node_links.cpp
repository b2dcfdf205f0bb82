// How a node gets at others and they at it: ports, and the nodes that it is told to connect to.

#include <mailroom/services/host/node_impl.hpp>

#include <algorithm>
#include <future>
#include <iterator>
#include <memory>
#include <utility>

namespace mailroom {
namespace {

std::string scheme_of(const std::string& address) {
  return address.substr(0, address.find("://"));
}

}  // namespace

// Of an address that has been checked.
rpc::transport* running_node::transport_for(const std::string& address) {
  const std::string scheme = scheme_of(address);
  for (rpc::transport* each :
       {static_cast<rpc::transport*>(&zmq_), static_cast<rpc::transport*>(&local_)}) {
    if (each->handles(scheme)) {
      return each;
    }
  }
  return nullptr;
}

result<std::vector<std::string>> running_node::open_data(rpc::transport& over,
                                                         const std::string& address) {
  const bool is_open = address.starts_with("tcp://") || address.ends_with("://*");
  std::vector<std::string> opened;
  std::optional<error> failed;
  on_each_loop([&](std::size_t loop) {
    // The system chooses another each time, or we do.
    const std::string own = is_open || loop == 0 ? address : address + "-" + std::to_string(loop);
    auto port = over.listen(*loops_[loop], own, *data_[loop].server);
    if (!port) {
      const error& why = port.error();
      failed = own == options_.listen ? why
                                      : error(why.code(),
                                              "a data socket beside " + options_.listen + ": " +
                                                  std::string(why.message()));
      return;
    }
    opened.push_back((*port)->address());
    data_[loop].ports.push_back(*std::move(port));
  });
  if (failed) {
    return *std::move(failed);
  }
  return opened;
}

// A node calls its own endpoints as it calls others': one more peer, over the local transport.
void running_node::join_self() {
  auto opened = open_data(local_, "local://*");
  if (!opened) {
    return;
  }
  self_address_ = opened->front();
  rpc::connector::session_info info;
  info.address = self_address_;
  info.node = options_.name;
  info.incarnation = incarnation_;  // Who also connects to itself is one server, not two.
  info.data = *std::move(opened);
  info.in_flight = options_.in_flight_per_peer;
  info.max_body = options_.max_body;
  host_.random(info.session);
  info.cancel = [this, session = info.session](const wire::cancel& what) {
    pass_on(session, {what});
  };
  rpc::session_table::session known;
  known.node = options_.name;
  sessions_.open(info.session, std::move(known));
  auto up = std::make_shared<std::promise<void>>();
  auto ready = up->get_future();
  loop_of_calls().post([this, info = std::move(info), up]() mutable {
    connector_->open_session(local_,
                             std::move(info),
                             [up = std::move(up)](const std::string&, const error* ended) mutable {
                               if (ended == nullptr && up) {
                                 std::exchange(up, nullptr)->set_value();
                               }
                             });
  });
  ready.wait();
}

void running_node::pass_on(const rpc::session_id& session,
                           const std::vector<wire::cancel>& given_up) {
  for (std::uint32_t loop = 0; loop < loops_.size(); ++loop) {
    std::vector<wire::cancel> here;
    std::copy_if(given_up.begin(), given_up.end(), std::back_inserter(here), [&](const auto& each) {
      return each.loop == loop;
    });
    if (!here.empty()) {
      loops_[loop]->post([this, loop, session, here = std::move(here)] {
        data_[loop].server->cancel(session, here);
      });
    }
  }
}

void running_node::start_health() {
  control_server_->watch(*awake_);
  std::vector<const executors::event_loop*> loops;
  for (const auto& each : loops_) {
    loops.push_back(each.get());
  }
  rpc::health::options with;
  with.stuck_after = options_.stuck_after;
  // Often enough that peers hear within two heartbeats of what does not move for one.
  with.look_every = options_.heartbeat / 4;
  if (with.stuck_after > duration::zero()) {
    with.look_every = std::min(with.look_every, with.stuck_after / 4);
  }
  health_ = std::make_unique<rpc::health>(
      control_loop_,
      host_,
      dispatcher_,
      std::move(loops),
      with,
      [this] { return arrived(); },
      [this](const wire::stuck& what) { control_server_->set_stuck(what); },
      [this](time_point now) {
        awake_->pass(now);
        note_busy(now);
      });
  control_server_->set_loops([this] { return health_->loops(); });
  health_->start();
}

std::uint64_t running_node::arrived() const {
  std::uint64_t all = 0;
  for (const auto& each : data_) {
    const auto& counts = each.server->counts();
    all +=
        counts.calls.load(std::memory_order_relaxed) + counts.casts.load(std::memory_order_relaxed);
  }
  return all;
}

result<void> running_node::open_ports() {
  if (options_.listen.empty()) {
    return {};
  }
  rpc::transport* over = transport_for(options_.listen);
  // The data ports are the system's choice, at the same host; peers learn them in the welcome.
  const std::string scheme = scheme_of(options_.listen);
  std::string data = options_.listen;
  if (scheme == "tcp") {
    data = data.substr(0, data.rfind(':')) + ":0";
  } else if (!data.ends_with("://*")) {
    data += ".data";
  }
  auto opened = open_data(*over, data);
  if (!opened) {
    return opened.error();
  }
  result<void> outcome;
  run_on(control_loop_, [&] {
    control_server_->set_data(*std::move(opened));
    auto port = over->listen(control_loop_, options_.listen, *control_server_);
    if (!port) {
      outcome = port.error();
      return;
    }
    control_port_ = *std::move(port);
    address_ = control_port_->address();
  });
  return outcome;
}

result<void> running_node::connect() {
  for (const auto& address : options_.connect) {
    if (peers_.contains(address)) {
      continue;  // Named twice.
    }
    rpc::transport* over = transport_for(address);
    run_on(loop_of_calls(), [&] { connector_->expect(address); });
    run_on(control_loop_, [&] {
      auto& peer = peers_[address];
      peer = std::make_unique<rpc::control_client>(
          control_loop_, host_, *over, *connector_, client_of(address));
      peer->start();
    });
  }
  const auto settled = std::make_shared<std::promise<void>>();
  run_on(loop_of_calls(), [&] { connector_->when_settled([settled] { settled->set_value(); }); });
  settled->get_future().wait_until(later(clock::now(), options_.connect_within));
  return {};
}

}  // namespace mailroom
