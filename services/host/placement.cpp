// Where endpoints are served: executors by name, and moves from one to another.

#include <mailroom/services/host/node_impl.hpp>

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/rpc/method.hpp>

#include <algorithm>
#include <charconv>
#include <future>
#include <map>
#include <span>
#include <system_error>
#include <utility>

namespace mailroom {

namespace {

// Policies, and the node's own with theirs.
std::vector<executor_options> all_executors(const std::vector<executor_options>& own) {
  std::vector<executor_options> all;
  for (const auto policy : executors::policies()) {
    all.push_back({std::string(policy), std::string(policy), 0});
  }
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

error unknown_executor(const std::string& name, const std::vector<executor_options>& all) {
  std::vector<std::string> names;
  std::string told;
  for (const auto& each : all) {
    names.push_back(each.name);
    told += (told.empty() ? "" : ", ") + each.name;
  }
  const std::string near = nearest(name, names);
  return error(errc::invalid_value,
               "no executor '" + name + "'" + (near.empty() ? "" : " (nearest: " + near + ")") +
                   "; there are " + told);
}

result<std::uint32_t> read_loop(const std::string& number,
                                const executor_options& of,
                                std::size_t loops) {
  if (of.policy != "loop-bound") {
    return error(errc::invalid_value,
                 "executor '" + of.name + "' has no loops to choose from: it is " + of.policy);
  }
  std::uint32_t loop = 0;
  const auto [end, failed] = std::from_chars(number.data(), number.data() + number.size(), loop);
  if (failed != std::errc() || end != number.data() + number.size() || loop >= loops) {
    return error(errc::invalid_value,
                 "executor '" + of.name + "' has no loop '" + number + "'; this node has " +
                     (loops == 1 ? "one, 0"
                                 : std::to_string(loops) + ", 0 to " + std::to_string(loops - 1)));
  }
  return loop;
}

}  // namespace

result<executor_name> read_executor_name(const std::string& text,
                                         const std::vector<executor_options>& own,
                                         std::size_t loops) {
  const auto all = all_executors(own);
  const auto find = [&](const std::string& name) {
    return std::find_if(
        all.begin(), all.end(), [&](const auto& each) { return each.name == name; });
  };
  if (find(text) != all.end()) {
    return executor_name{text, std::nullopt};
  }
  const auto slash = text.rfind('/');
  const auto found = slash == std::string::npos ? all.end() : find(text.substr(0, slash));
  if (found == all.end()) {
    return unknown_executor(text, all);
  }
  const auto loop = read_loop(text.substr(slash + 1), *found, loops);
  if (!loop) {
    return loop.error();
  }
  return executor_name{found->name, *loop};
}

result<executors::executor*> running_node::executor_for(const std::string& name) {
  if (const auto made = executors_.find(name); made != executors_.end()) {
    return made->second.get();
  }
  executor_options with{name, name, options_.workers, options_.spare_workers};
  const auto own = std::find_if(options_.executors.begin(),
                                options_.executors.end(),
                                [&](const auto& each) { return each.name == name; });
  if (own != options_.executors.end()) {
    with = *own;
  }
  std::vector<executors::event_loop*> loops;
  for (const auto& each : loops_) {
    loops.push_back(each.get());
  }
  auto made = executors::make_executor(with.policy,
                                       {.name = name,
                                        .workers = with.workers,
                                        .run = &actors::runtime::run_turn,
                                        .host = &host_,
                                        .loops = std::move(loops),
                                        .watch = watchdog_.get(),
                                        .spares = with.spare_workers});
  if (!made) {
    return made.error();
  }
  executors::executor& started = *executors_.emplace(name, *std::move(made)).first->second;
  try {
    started.start();
  } catch (const std::system_error& failed) {
    executors_.erase(name);
    return error(errc::io,
                 "the threads of executor '" + name + "' cannot be started: " + failed.what());
  }
  return &started;
}

result<actors::runtime::place> running_node::place_for(const std::string& executor) {
  const auto name = read_executor_name(executor, options_.executors, loops_.size());
  if (!name) {
    return name.error();
  }
  const auto on = executor_for(name->name);
  if (!on) {
    return on.error();
  }
  return actors::runtime::place{
      **on,
      name->loop ? executors::affinity::worker(*name->loop) : executors::affinity::anywhere()};
}

std::uint32_t running_node::next_loop(bool for_loop_bound) {
  std::uint32_t& next = for_loop_bound ? next_bound_ : next_other_;
  const std::uint32_t loop = next;
  next = (next + 1) % static_cast<std::uint32_t>(loops_.size());
  return loop;
}

// Endpoints of one topic share a loop, unless somebody says otherwise: its calls arrive at one.
actors::runtime::place running_node::at_loop(const actors::runtime::place& place,
                                             std::uint32_t loop) {
  const bool open = place.worker.is_anywhere() && place.on.loop_of(place.worker) != nullptr;
  return open ? actors::runtime::place{place.on, executors::affinity::worker(loop)} : place;
}

// What the deployment says outranks what the code says.
result<running_node::placed> running_node::home_of(const served& what) {
  const auto deployed = options_.placement.find(what.at->topic);
  const auto& executor =
      deployed != options_.placement.end() ? deployed->second : what.what->executor;
  const auto place =
      executor.empty() ? result<actors::runtime::place>(*usual_) : place_for(executor);
  if (!place) {
    return place.error();
  }
  std::uint32_t loop = 0;
  if (const auto known = dispatcher_.loop_of(what.at->exchange, what.at->topic)) {
    loop = *known;
  } else if (!place->worker.is_anywhere()) {
    loop = place->worker.index();
  } else {
    loop = next_loop(place->on.loop_of(place->worker) != nullptr);
  }
  return placed{at_loop(*place, loop), loop};
}

result<void> running_node::serve(const std::vector<served>& all) {
  bool new_topic = false;
  {
    const std::lock_guard lock(endpoints_mutex_);
    for (const auto& each : all) {
      const auto home = home_of(each);
      if (!home) {
        return home.error();
      }
      new_topic |= add_instances(each, *home);
    }
  }
  if (new_topic) {
    // Without the lock, which the control plane takes: a handler may be stuck on the I/O loop. Who
    // serves and then calls must find it.
    topics_changed().wait();
  }
  return {};
}

bool running_node::add_instances(const served& of, const placed& home) {
  std::vector<rpc::activation*> instances;
  const auto spawn = [&](const std::shared_ptr<const rpc::endpoint_definition>& what) {
    auto& made = endpoints_.emplace_back(runtime_->spawn(what, of.at->topic, *connector_, home.at));
    instances.push_back(&made->activation());
  };
  spawn(of.what);
  auto how = rpc::sharing::balanced;
  if (const auto* others = of.what->others.get()) {
    std::for_each(others->all.begin(), others->all.end(), spawn);
    how = others->how;
  }
  return dispatcher_.add(of.at, std::move(instances), how, home.loop);
}

/// One order to move the endpoints of a topic: all of them, or none.
class topic_move final : public std::enable_shared_from_this<topic_move>, private executors::timer {
 public:
  topic_move(running_node& in,
             std::string topic,
             const actors::runtime::place& to,
             std::function<void(const result<void>&)> tell)
      : in_(in), topic_(std::move(topic)), to_(to), tell_(std::move(tell)) {}
  ~topic_move() { in_.control_loop_.cancel(*this); }

  /// Under the node's endpoints_mutex_.
  void begin(const std::vector<running_node::moving_endpoint>& endpoints, duration limit) {
    self_ = shared_from_this();
    in_.control_loop_.arm(*this, later(in_.host_.now(), limit));
    const std::lock_guard lock(mutex_);
    waiting_ = endpoints.size();
    for (const auto& each : endpoints) {
      const actors::runtime::place from{each.which->home(), each.which->worker()};
      auto& part = parts_.emplace_back(std::make_unique<part_of_it>(part_of_it{each.which, from}));
      part->moving = in_.runtime_->move(
          *each.which,
          running_node::at_loop(to_, each.loop),
          [this, part = part.get()](const result<void>& outcome) { ended(*part, outcome); });
    }
  }

 private:
  struct part_of_it {
    actors::endpoint* which;
    actors::runtime::place from;
    std::shared_ptr<rpc::relocation> moving = nullptr;
    bool arrived = false;
  };

  // On some turn.
  void ended(part_of_it& part, const result<void>& outcome) {
    {
      const std::lock_guard lock(mutex_);
      part.arrived = outcome.has_value();
      if (!outcome && !failure_) {
        failure_ = outcome.error();
      }
      if (--waiting_ > 0) {
        return;
      }
    }
    in_.control_loop_.post([self = shared_from_this()] { self->finish(); });
  }

  // Runs under the timers' lock, so it only leaves a note.
  void on_time() noexcept override {
    in_.control_loop_.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->give_up();
      }
    });
  }

  void give_up() {
    const std::lock_guard lock(in_.endpoints_mutex_);
    for (const auto& each : parts_) {
      if (in_.holds(*each->which)) {
        each->which->activation().withdraw(
            each->moving,
            error(errc::expired,
                  "'" + topic_ + "' stays where it was: a handler still runs or waits there"));
      }
    }
  }

  void finish() {
    in_.control_loop_.cancel(*this);
    if (failure_) {
      const std::lock_guard lock(in_.endpoints_mutex_);
      for (const auto& each : parts_) {
        if (each->arrived && in_.holds(*each->which)) {
          in_.runtime_->move(*each->which, each->from, [](const result<void>&) {});
        }
      }
    } else if (!to_.worker.is_anywhere() && in_.dispatcher_.set_loop(topic_, to_.worker.index())) {
      in_.topics_changed();
    }
    tell_(failure_ ? result<void>(*failure_) : result<void>());
    self_.reset();
  }

  running_node& in_;
  const std::string topic_;
  const actors::runtime::place to_;
  const std::function<void(const result<void>&)> tell_;
  std::shared_ptr<topic_move> self_;  // Until it has told.
  std::mutex mutex_;
  std::vector<std::unique_ptr<part_of_it>> parts_;
  std::size_t waiting_ = 0;       // Guarded by mutex_.
  std::optional<error> failure_;  // Guarded by mutex_ until it finishes.
};

std::string running_node::near_topic(const std::string& topic) const {
  std::vector<std::string> names;
  for (const auto& each : dispatcher_.topics()) {
    names.push_back(each.topic);
  }
  const std::string near = nearest(topic, names);
  return near.empty() ? near : " (nearest: " + near + ")";
}

bool running_node::holds(const actors::endpoint& which) const {
  return std::any_of(
      endpoints_.begin(), endpoints_.end(), [&](const auto& each) { return each.get() == &which; });
}

std::vector<running_node::moving_endpoint> running_node::endpoints_of(const std::string& topic) {
  std::map<const rpc::activation*, std::uint32_t> loops;
  dispatcher_.each(
      [&](const target& at, std::span<rpc::activation* const> all, std::uint32_t loop) {
        if (at.topic == topic) {
          for (const auto* each : all) {
            loops.emplace(each, loop);
          }
        }
      });
  std::vector<moving_endpoint> found;
  for (const auto& each : endpoints_) {
    if (const auto at = loops.find(&each->activation()); at != loops.end()) {
      found.push_back({each.get(), at->second});
    }
  }
  return found;
}

void running_node::move(const std::string& topic,
                        const std::string& executor,
                        duration limit,
                        std::function<void(const result<void>&)> tell) {
  result<void> refused;
  {
    const std::lock_guard lock(endpoints_mutex_);
    const auto found = endpoints_of(topic);
    const auto to = place_for(executor);
    if (found.empty()) {
      refused =
          error(errc::no_server, "this node serves no topic '" + topic + "'" + near_topic(topic));
    } else if (!to) {
      refused = to.error();
    } else {
      std::make_shared<topic_move>(*this, topic, *to, std::move(tell))->begin(found, limit);
      return;
    }
  }
  control_loop_.post([refused, tell = std::move(tell)] { tell(refused); });
}

result<void> running_node::place(const std::string& topic,
                                 const std::string& executor,
                                 duration limit) {
  if (const auto* here = async::current_flow()) {
    return error(errc::would_block,
                 "place inside " + std::string(here->name) +
                     ", which would wait for its own turn to end; call it from a thread");
  }
  std::promise<result<void>> told;
  auto outcome = told.get_future();
  move(topic, executor, limit, [&told](const result<void>& done) { told.set_value(done); });
  return outcome.get();
}

}  // namespace mailroom
