#include <mailroom/services/host/node.hpp>
#include <mailroom/services/host/node_impl.hpp>

#include <mailroom/framework/async/flow.hpp>
#include <mailroom/framework/observability/log.hpp>

#include <unistd.h>

#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace mailroom {

class node::impl {
 public:
  explicit impl(node_options given) : options(std::move(given)) {
    if (options.name.empty()) {
      std::array<char, 256> host{};
      ::gethostname(host.data(), host.size() - 1);
      options.name = std::string(host.data()) + "-" + std::to_string(::getpid());
    }
  }

  running_node& started() {
    if (!running) {
      throw std::logic_error("the node is not started");
    }
    return *running;
  }

  result<void> add(target at, const builder& build);
  result<void> check(const target& at) const;
  void count(const target& at);

  node_options options;
  std::optional<error> failed;  // What `serve` could not do, until `start` has told.
  std::vector<running_node::served> served;
  std::vector<node::control_part> control_parts;
  std::set<std::pair<std::string_view, std::string_view>>
      topics;                                    // Exchange and topic of `served`.
  std::size_t topics_size = 0;                   // As peers are told of them.
  std::vector<running_node::ended_calls> ended;  // Of the runs before.
  bool hung = false;                             // What ran when it was stopped still does.
  std::unique_ptr<running_node> running;
};

node::node(node_options with) : impl_(std::make_unique<impl>(std::move(with))) {}

node::~node() {
  if (impl_ && impl_->running) {
    stop();
  }
}

result<void> node::add(target at, const builder& build) {
  auto outcome = impl_->add(std::move(at), build);
  if (!outcome && !impl_->running && !impl_->failed) {
    impl_->failed = outcome.error();
  }
  return outcome;
}

result<void> node::impl::check(const target& at) const {
  if (auto good = rpc::check_target(at); !good) {
    return good;
  }
  if (topics.contains({at.exchange, at.topic})) {
    return {};
  }
  // Peers refuse longer lists: this node would be unreachable with all that it serves.
  if (topics.size() == wire::max_topics) {
    return error(errc::too_large,
                 "topic '" + at.topic + "' is one too many: a node serves " +
                     std::to_string(wire::max_topics) + " topics at most");
  }
  const std::size_t size = topics_size + wire::size_of({at.exchange, at.topic, 0});
  if (size > wire::max_topics_size) {
    return error(errc::too_large,
                 "topic '" + at.topic + "' is one too many: the topics of a node take " +
                     std::to_string(wire::max_topics_size) + " bytes at most, these would take " +
                     std::to_string(size));
  }
  return {};
}

void node::impl::count(const target& at) {
  if (topics.insert({at.exchange, at.topic}).second) {
    topics_size += wire::size_of({at.exchange, at.topic, 0});
  }
}

result<void> node::impl::add(target at, const builder& build) {
  if (auto good = check(at); !good) {
    return good;
  }
  std::shared_ptr<const rpc::endpoint_definition> what;
  try {
    const auto deployed = options.endpoints.find(at.topic);
    auto built = build(at.topic,
                       deployed == options.endpoints.end() ? endpoint_options{} : deployed->second);
    if (!built) {
      return error(built.error().code(),
                   "topic '" + at.topic + "' " + std::string(built.error().message()));
    }
    what = *std::move(built);
  } catch (const std::exception& thrown) {
    return error(errc::handler_failed,
                 "the endpoint of topic '" + at.topic + "' could not be made: " + thrown.what());
  }
  served.push_back({std::make_shared<const target>(std::move(at)), std::move(what)});
  if (running) {
    if (auto good = running->serve({served.back()}); !good) {
      served.pop_back();
      return good;
    }
  }
  count(*served.back().at);
  return {};
}

node_outcome node::start() {
  if (impl_->running) {
    return {};
  }
  if (impl_->failed) {
    return *std::exchange(impl_->failed, std::nullopt);
  }
  auto starting =
      std::make_unique<running_node>(impl_->options, impl_->control_parts, platform::system());
  auto outcome = starting->open();
  if (outcome) {
    outcome = starting->serve(impl_->served);
  }
  if (outcome) {
    outcome = starting->join();
  }
  if (!outcome) {
    starting->drain(std::chrono::seconds(1));  // Nothing runs yet; they only have to hear of it.
    starting->close();
    return outcome;
  }
  impl_->running = std::move(starting);
  return {};
}

void node::extend_control(control_part make) {
  impl_->control_parts.push_back(std::move(make));
}

bool node::stop(duration limit) {
  if (!impl_->running) {
    return true;
  }
  if (const auto* here = async::current_flow()) {
    log::error("stop_in_handler", {{"node", name()}, {"handler", here->name}});
    return false;
  }
  const bool drained = impl_->running->drain(limit);
  if (!impl_->running->close()) {
    // A handler that never returns still uses all of it; better lost than freed under its feet.
    static_cast<void>(impl_->running.release());
    impl_->hung = true;
    return false;
  }
  impl_->ended.push_back(impl_->running->take_calls());
  impl_->running.reset();
  return drained;
}

bool node::is_hung() const noexcept {
  return impl_->hung;
}

const std::string& node::address() const noexcept {
  static const std::string nowhere;
  return impl_->running ? impl_->running->address() : nowhere;
}

const std::string& node::name() const noexcept {
  return impl_->options.name;
}

std::future<void> node::run(std::string name, std::function<task<void>(context&)> body) {
  return impl_->started().run(std::move(name), std::move(body));
}

node_outcome node::place(const std::string& topic, const std::string& executor, duration limit) {
  return impl_->started().place(topic, executor, limit);
}

result<bytes> node::admin(const std::string& address, std::string_view verb, duration timeout) {
  static constexpr std::byte nil{0xc0};
  return admin(address, verb, bytes({&nil, 1}), timeout);
}

result<bytes> node::admin(const std::string& address,
                          std::string_view verb,
                          const bytes& argument,
                          duration timeout) {
  return impl_->started().admin(address, std::string(verb), argument, timeout);
}

result<duration> node::ping(const std::string& address, duration timeout) {
  return impl_->started().ping(address, timeout);
}

node::operator rpc::connector&() {
  return impl_->started().calls();
}

}  // namespace mailroom
