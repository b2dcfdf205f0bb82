// Where endpoints are served: executors by name, and moves from one to another.

#include <mailroom/services/host/node_impl.hpp>

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/rpc/method.hpp>

#include <algorithm>
#include <future>
#include <system_error>
#include <utility>

namespace mailroom {

result<void> known_executor(const std::string& name, const std::vector<executor_options>& own) {
  std::vector<std::string> names;
  for (const auto policy : executors::policies()) {
    names.emplace_back(policy);
  }
  for (const auto& each : own) {
    names.push_back(each.name);
  }
  if (std::find(names.begin(), names.end(), name) != names.end()) {
    return {};
  }
  std::string all;
  for (const auto& each : names) {
    all += (all.empty() ? "" : ", ") + each;
  }
  const std::string near = nearest(name, names);
  return error(errc::invalid_value,
               "no executor '" + name + "'" + (near.empty() ? "" : " (nearest: " + near + ")") +
                   "; there are " + all);
}

result<executors::executor*> running_node::executor_for(const std::string& name) {
  if (const auto made = executors_.find(name); made != executors_.end()) {
    return made->second.get();
  }
  executor_options with{name, name, options_.workers};
  const auto own = std::find_if(options_.executors.begin(),
                                options_.executors.end(),
                                [&](const auto& each) { return each.name == name; });
  if (const auto known = known_executor(name, options_.executors); !known) {
    return known.error();
  }
  if (own != options_.executors.end()) {
    with = *own;
  }
  auto made = executors::make_executor(with.policy,
                                       {.name = name,
                                        .workers = with.workers,
                                        .run = &actors::runtime::run_turn,
                                        .host = &host_,
                                        .loops = {&loop_},
                                        .watch = watchdog_.get()});
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

// What the deployment says outranks what the code says.
result<executors::executor*> running_node::home_of(const served& what) {
  const auto placed = options_.placement.find(what.at->topic);
  if (placed != options_.placement.end()) {
    return executor_for(placed->second);
  }
  return what.what->executor.empty() ? result<executors::executor*>(executor_)
                                     : executor_for(what.what->executor);
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
      new_topic |= add_instances(each, **home);
    }
  }
  if (new_topic) {
    // Without the lock, which the control plane takes: a handler may be stuck on the I/O loop.
    topics_changed();
  }
  return {};
}

bool running_node::add_instances(const served& of, executors::executor& home) {
  std::vector<rpc::activation*> instances;
  const auto spawn = [&](const std::shared_ptr<const rpc::endpoint_definition>& what) {
    auto& made = endpoints_.emplace_back(runtime_->spawn(what, of.at->topic, *connector_, home));
    instances.push_back(&made->activation());
  };
  spawn(of.what);
  auto how = rpc::sharing::balanced;
  if (const auto* others = of.what->others.get()) {
    std::for_each(others->all.begin(), others->all.end(), spawn);
    how = others->how;
  }
  return dispatcher_.add(of.at, std::move(instances), how);
}

/// One order to move the endpoints of a topic: all of them, or none.
class topic_move final : public std::enable_shared_from_this<topic_move>, private executors::timer {
 public:
  topic_move(running_node& in, std::string topic, std::function<void(const result<void>&)> tell)
      : in_(in), topic_(std::move(topic)), tell_(std::move(tell)) {}
  ~topic_move() { in_.control_loop_.cancel(*this); }

  /// Under the node's endpoints_mutex_.
  void begin(const std::vector<actors::endpoint*>& endpoints,
             executors::executor& to,
             duration limit) {
    self_ = shared_from_this();
    in_.control_loop_.arm(*this, in_.host_.now() + limit);
    const std::lock_guard lock(mutex_);
    waiting_ = endpoints.size();
    for (auto* each : endpoints) {
      auto& part = parts_.emplace_back(std::make_unique<part_of_it>());
      part->which = each;
      part->from = &each->home();
      part->moving =
          in_.runtime_->move(*each, to, [this, part = part.get()](const result<void>& outcome) {
            ended(*part, outcome);
          });
    }
  }

 private:
  struct part_of_it {
    actors::endpoint* which = nullptr;
    executors::executor* from = nullptr;
    std::shared_ptr<rpc::relocation> moving;
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
                  "'" + topic_ + "' stays where it was: suspending handlers still wait there"));
      }
    }
  }

  void finish() {
    in_.control_loop_.cancel(*this);
    if (failure_) {
      const std::lock_guard lock(in_.endpoints_mutex_);
      for (const auto& each : parts_) {
        if (each->arrived && in_.holds(*each->which)) {
          in_.runtime_->move(*each->which, *each->from, [](const result<void>&) {});
        }
      }
    }
    tell_(failure_ ? result<void>(*failure_) : result<void>());
    self_.reset();
  }

  running_node& in_;
  const std::string topic_;
  const std::function<void(const result<void>&)> tell_;
  std::shared_ptr<topic_move> self_;  // Until it has told.
  std::mutex mutex_;
  std::vector<std::unique_ptr<part_of_it>> parts_;
  std::size_t waiting_ = 0;       // Guarded by mutex_.
  std::optional<error> failure_;  // Guarded by mutex_ until it finishes.
};

bool running_node::holds(const actors::endpoint& which) const {
  return std::any_of(
      endpoints_.begin(), endpoints_.end(), [&](const auto& each) { return each.get() == &which; });
}

void running_node::move(const std::string& topic,
                        const std::string& executor,
                        duration limit,
                        std::function<void(const result<void>&)> tell) {
  result<void> refused;
  {
    const std::lock_guard lock(endpoints_mutex_);
    std::vector<actors::endpoint*> found;
    for (const auto& each : endpoints_) {
      if (each->activation().topic() == topic) {
        found.push_back(each.get());
      }
    }
    const auto to = executor_for(executor);
    if (found.empty()) {
      refused = error(errc::no_server, "this node serves no topic '" + topic + "'");
    } else if (!to) {
      refused = to.error();
    } else {
      std::make_shared<topic_move>(*this, topic, std::move(tell))->begin(found, **to, limit);
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
