// Where endpoints are served: executors by name, and moves from one to another.

#include <mailroom/services/host/node_impl.hpp>
#include <mailroom/services/host/topic_move.hpp>

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

namespace {

error stays_since_it_stops(const std::string& topic) {
  return error(errc::stopping, "'" + topic + "' stays where it was: the node is stopping");
}

}  // namespace

void running_node::move(const std::string& topic,
                        const std::string& executor,
                        duration limit,
                        std::function<void(const result<void>&)> tell) {
  const auto to = [&]() -> result<actors::runtime::place> {
    const std::lock_guard lock(endpoints_mutex_);
    if (endpoints_of(topic).empty()) {
      return error(errc::no_server,
                   "this node serves no topic '" + topic + "'" + near_topic(topic));
    }
    return place_for(executor);
  }();
  control_loop_.post([=, this, tell = std::move(tell)] {
    if (!to || no_more_moves_) {
      tell(to ? stays_since_it_stops(topic) : to.error());
      return;
    }
    moves_.push_back(
        std::make_shared<topic_move>(*this, topic_move::order{topic, executor, *to, limit, tell}));
    moves_.back()->wait();
    begin_next_move(topic);
  });
}

// Those of one topic go one after the other.
void running_node::begin_next_move(const std::string& topic) {
  const auto next = std::find_if(
      moves_.begin(), moves_.end(), [&](const auto& each) { return each->topic() == topic; });
  if (next != moves_.end() && !(*next)->has_begun()) {
    const auto begun = *next;  // It may end at once, and be taken out.
    begun->begin();
  }
}

void running_node::ended(const topic_move& move) {
  const std::string topic = move.topic();
  std::erase_if(moves_, [&](const auto& each) { return each.get() == &move; });
  control_loop_.post([this, topic] { begin_next_move(topic); });
}

void running_node::end_moves() {
  no_more_moves_ = true;
  const auto all = moves_;
  for (const auto& each : all) {
    each->stop();
  }
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
