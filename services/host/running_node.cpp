#include <mailroom/services/host/node_impl.hpp>

#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/observability/log.hpp>
#include <mailroom/framework/rpc/method.hpp>

#include <algorithm>
#include <future>
#include <utility>

namespace mailroom {
namespace {

constexpr duration after_cancelling = std::chrono::seconds(1);
constexpr duration look_for_answers_every = std::chrono::milliseconds(10);
constexpr duration look_for_callers_every = std::chrono::milliseconds(1);
// After the last answer. Those that do not read their mail would keep us for ever.
constexpr duration for_callers_to_leave = std::chrono::milliseconds(250);
constexpr duration for_turn_to_stop = std::chrono::milliseconds(500);

// What a frame may take: a body, or a welcome with all topics, and what stands around them.
std::size_t max_frame(const node_options& with) {
  return std::max(with.max_body, wire::max_topics_payload) + (std::size_t{1} << 20U);
}

// What may be under way from one peer before it has been looked at: enough to keep a link of 1
// Gbit/s and 100 ms busy.
std::uint64_t credit_bytes(const node_options& with) {
  return std::max<std::size_t>(with.backlog_per_peer / 4, 1);
}

}  // namespace

void run_on(executors::event_loop& loop, const std::function<void()>& task) {
  std::promise<void> done;
  loop.post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

void running_node::on_each_loop(const std::function<void(std::size_t loop)>& task) {
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    run_on(*loops_[i], [&] { task(i); });
  }
}

running_node::running_node(const node_options& with,
                           const std::vector<node::control_part>& parts,
                           platform& host)
    : options_(with),
      make_parts_(parts),
      host_(host),
      control_loop_("mr-ctl", host),
      local_(rpc::transport::limits{.max_frame = max_frame(with)}),
      zmq_(rpc::transport::limits{.max_frame = max_frame(with)}, host),
      answers_({.bytes = with.kept_answers, .time = with.answers_kept_for}),
      pool_(with.blocking_threads, host),
      started_(host.now()) {
  host_.random(incarnation_);
}

// Most of what it has needs its loops until the end.
running_node::~running_node() = default;

result<void> running_node::open() {
  if (const auto wrong = find_wrong(options_)) {
    return wrong->why;
  }
  for (std::size_t i = 0; i < options_.loops; ++i) {
    loops_.push_back(
        std::make_unique<executors::event_loop>("mr-loop-" + std::to_string(i), host_));
    loops_.back()->start();
  }
  control_loop_.start();
  loops_run_ = true;
  start_watchdog();
  for (const auto& each : options_.executors) {
    if (const auto made = executor_for(each.name); !made) {
      return made.error();
    }
  }
  const auto usual = place_for(options_.executor);
  if (!usual) {
    return usual.error();
  }
  usual_.emplace(*usual);
  runtime_ = std::make_unique<actors::runtime>(usual_->on, pool_, loop_of_calls(), host_, [this] {
    const std::lock_guard lock(quiet_mutex_);
    quiet_.notify_all();
  });
  const rpc::connector::limits calls{.backlog = options_.backlog_per_peer,
                                     .max_body = options_.max_body};
  const rpc::caller::limits answers{.in_flight = options_.in_flight_per_peer,
                                    .backlog = options_.backlog_per_peer,
                                    .max_body = options_.max_body,
                                    .credit_bytes = credit_bytes(options_)};
  run_on(loop_of_calls(), [&] {
    connector_ = std::make_unique<rpc::connector>(loop_of_calls(), host_, calls);
    connector_->set_zone(options_.labels.zone);
  });
  awake_.emplace(rpc::missed_until_dead * options_.heartbeat,
                 host_.now(),
                 [this](duration stood_still) { control_server_->end_all(stood_still); });
  data_.resize(loops_.size());
  on_each_loop([&](std::size_t loop) {
    data_[loop].server = std::make_unique<rpc::data_server>(
        *loops_[loop], dispatcher_, sessions_, answers, &answers_, &*awake_);
  });
  rpc::control_server::identity self;
  self.node = options_.name;
  self.incarnation = incarnation_;
  self.heartbeat = options_.heartbeat;
  self.max_frame = max_frame(options_);
  self.max_body = options_.max_body;
  self.in_flight = options_.in_flight_per_peer;
  self.credit_bytes = credit_bytes(options_);
  run_on(control_loop_, [&] {
    control_server_ = std::make_unique<rpc::control_server>(
        control_loop_, host_, sessions_, self, [this](const rpc::session_id& ended) {
          for (std::size_t i = 0; i < loops_.size(); ++i) {
            loops_[i]->post([this, i, ended] { data_[i].server->drop(ended); });
          }
        });
    control_server_->on_cancel(
        [this](const rpc::session_id& session, const std::vector<wire::cancel>& given_up) {
          pass_on(session, given_up);
        });
    add_verbs();
    start_health();
    for (const auto& each : make_parts_) {
      parts_.push_back(each(*control_server_, control_loop_, host_));
    }
  });
  open_membership();
  join_self();
  return {};
}

// A configuration may be shared by services of which each serves some of its topics; a misspelt
// one looks the same.
void running_node::tell_of_unused_settings() const {
  std::string all;
  std::vector<std::string> names;
  for (const auto& each : dispatcher_.topics()) {
    all += (all.empty() ? "" : ", ") + each.topic;
    names.push_back(each.topic);
  }
  const auto is_served = [&](const std::string& topic) {
    return std::find(names.begin(), names.end(), topic) != names.end();
  };
  for (const auto& [topic, executor] : options_.placement) {
    if (!is_served(topic)) {
      log::warn("placement_without_endpoint",
                {{"node", options_.name},
                 {"topic", topic},
                 {"executor", executor},
                 {"nearest", nearest(topic, names)},
                 {"served", all}});
    }
  }
  for (const auto& [topic, settings] : options_.endpoints) {
    if (!is_served(topic)) {
      log::warn("settings_without_endpoint",
                {{"node", options_.name},
                 {"topic", topic},
                 {"nearest", nearest(topic, names)},
                 {"served", all}});
    }
  }
}

result<void> running_node::join() {
  tell_of_unused_settings();
  if (auto opened = open_ports(); !opened) {
    return opened;
  }
  auto connected = connect();
  if (connected) {
    join_directories();
  }
  return connected;
}

// Each looks at the topics when its turn has come, so that the newest word is the last.
std::future<void> running_node::topics_changed() {
  auto known = std::make_shared<std::promise<void>>();
  loop_of_calls().post([this, known] {
    connector_->update_topics(self_address_, dispatcher_.topics());
    known->set_value();
  });
  control_loop_.post([this] {
    control_server_->set_topics(dispatcher_.topics());
    if (membership_ && !address_.empty()) {
      membership_->publish(registration(), [] {});
    }
  });
  return known->get_future();
}

void running_node::each_endpoint(const std::function<void(actors::endpoint&)>& see) {
  const std::lock_guard lock(endpoints_mutex_);
  for (auto& each : endpoints_) {
    see(*each);
  }
  for (auto& each : detached_) {
    see(*each.actor);
  }
}

bool running_node::wait_until_quiet(time_point until) {
  std::size_t quiet = 0;  // So many of endpoints_ from the front; who is quiet stays so.
  std::unique_lock lock(quiet_mutex_);
  return quiet_.wait_until(lock, until, [&] {
    const std::lock_guard held(endpoints_mutex_);
    while (quiet < endpoints_.size() && endpoints_[quiet]->activation().quiet()) {
      ++quiet;
    }
    return quiet == endpoints_.size() &&
           std::all_of(detached_.begin(), detached_.end(), [](const detached& each) {
             return each.actor->activation().quiet();
           });
  });
}

std::string running_node::what_still_runs() {
  std::string names;
  each_endpoint([&](actors::endpoint& each) {
    if (!each.activation().quiet()) {
      const rpc::activation& at = each.activation();
      names += (names.empty() ? "" : ", ") + at.topic() + " (" + std::to_string(at.running()) +
               " running";
      if (const auto* occupant = at.blocked_by()) {
        names += ", " + occupant->full_name() + " on a thread that it blocks";
      }
      names += ")";
    }
  });
  return names;
}

// Large ones leave at the pace of their peers; nobody announces the last piece.
void running_node::wait_until_answers_have_left(time_point until) {
  for (;;) {
    std::size_t left = 0;
    on_each_loop([&](std::size_t loop) { left += data_[loop].server->large_backlog(); });
    if (left == 0 || host_.now() >= until) {
      return;
    }
    std::unique_lock lock(quiet_mutex_);
    quiet_.wait_for(lock, look_for_answers_every);
  }
}

// A call that was sent before its caller had heard that we go may still be on its way: it is
// refused, and may go elsewhere. If its connection closed first, nobody could tell whether it ran.
void running_node::wait_until_callers_have_left(const std::vector<rpc::session_id>& callers,
                                                time_point until) {
  for (;;) {
    const std::size_t left = sessions_.attached(callers);
    if (left == 0) {
      return;
    }
    if (host_.now() >= until) {
      log::info("callers_stay", {{"node", options_.name}, {"sessions", left}});
      return;
    }
    std::unique_lock lock(quiet_mutex_);
    quiet_.wait_for(lock, look_for_callers_every);
  }
}

bool running_node::drain(duration limit) {
  if (!runtime_) {
    return true;
  }
  drain_outcome outcome;
  outcome.drained = drain_until(later(host_.now(), limit), limit, outcome.left);
  run_on(control_loop_, [&] {
    drained_ = outcome;
    for (const auto& tell : std::exchange(wait_for_drain_, {})) {
      tell(told_of_drain());
    }
  });
  return outcome.drained;
}

bool running_node::drain_until(time_point until, duration limit, std::string& left) {
  leave_directories(true);
  std::vector<rpc::session_id> callers;
  run_on(control_loop_, [&] {
    end_moves();
    callers = control_server_->go_away("the node is stopping", limit);
  });
  for (const auto& each : data_) {
    each.server->stop_accepting();
  }
  each_endpoint([](actors::endpoint& each) { each.activation().stop(); });
  if (wait_until_quiet(until)) {
    wait_until_answers_have_left(until);
    wait_until_callers_have_left(callers, std::min(until, host_.now() + for_callers_to_leave));
    return true;
  }
  // A limit of 0 has passed before the idle ones have had their turn to stop, which is not work.
  bool idle = true;
  each_endpoint([&](actors::endpoint& each) {
    const rpc::activation& at = each.activation();
    idle = idle && at.running() == 0 && at.queued() == 0;
  });
  if (idle && wait_until_quiet(host_.now() + for_turn_to_stop)) {
    return true;
  }
  left = what_still_runs();
  log::warn("drain_limit_passed", {{"node", options_.name}, {"limit", limit}, {"running", left}});
  each_endpoint([](actors::endpoint& each) { each.activation().end(); });
  return false;
}

bool running_node::close() {
  const bool quiet = runtime_ == nullptr || wait_until_quiet(host_.now() + after_cancelling);
  if (!quiet) {
    log::error("stop_hangs", {{"node", options_.name}, {"waits_for", what_still_runs()}});
    return false;
  }
  // Handlers have ended; functions that they offloaded and then did not wait for may not have.
  if (const std::size_t left = pool_.stop(host_.now() + after_cancelling); left != 0) {
    log::warn("offloaded_functions_left", {{"node", options_.name}, {"running", left}});
  }
  if (loops_run_) {
    // What workers have handed over is taken in before anything closes.
    on_each_loop([](std::size_t) {});
    leave_directories(false);
    run_on(control_loop_, [&] {
      if (health_) {
        health_->close();
      }
      for (auto& [address, peer] : peers_) {
        peer->close();
      }
      if (control_server_) {
        control_server_->close();
      }
      control_port_.reset();
    });
    on_each_loop([&](std::size_t loop) {
      if (loop < data_.size()) {
        data_[loop].server->close();
      }
      if (loop == 0 && connector_) {
        connector_->close();
      }
      if (loop < data_.size()) {
        data_[loop].ports.clear();
      }
    });
  }
  {
    const std::lock_guard lock(endpoints_mutex_);
    endpoints_.clear();
    detached_.clear();
  }
  runtime_.reset();
  for (auto& [name, each] : executors_) {
    each->stop(deadline(host_.now() + after_cancelling));
  }
  if (loops_run_) {
    run_on(control_loop_, [&] {
      if (watchdog_) {
        watchdog_->close();
      }
    });
    on_each_loop([&](std::size_t loop) {
      if (loop < data_.size()) {
        data_[loop].server.reset();
      }
    });
    // Last, since the connector told them of its sessions until now.
    run_on(control_loop_, [&] {
      membership_.reset();
      directories_.clear();
      parted_.clear();
      peers_.clear();
      health_.reset();
      parts_.clear();
      control_server_.reset();
    });
    control_loop_.stop();
    for (const auto& each : loops_) {
      each->stop();
    }
    if (connector_) {
      connector_->retire();
    }
  }
  return true;
}

}  // namespace mailroom
