#include <mailroom/services/host/node.hpp>
#include <mailroom/services/host/node_impl.hpp>

#include <mailroom/framework/observability/log.hpp>

#include <unistd.h>

#include <array>
#include <optional>
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

  node_options options;
  std::optional<error> failed;  // What `serve` could not do, until `start` has told.
  std::vector<running_node::served> served;
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

result<void> node::impl::add(target at, const builder& build) {
  if (at.topic.empty()) {
    return error(errc::invalid_target, "a served target needs a topic");
  }
  if (auto good = rpc::check_version(at.version); !good) {
    return error(errc::invalid_target, good.error().message());
  }
  std::shared_ptr<const rpc::endpoint_definition> what;
  try {
    what = build(at.topic);
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
  return {};
}

node_outcome node::start() {
  if (impl_->running) {
    return {};
  }
  if (impl_->failed) {
    return *std::exchange(impl_->failed, std::nullopt);
  }
  auto starting = std::make_unique<running_node>(impl_->options, platform::system());
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

bool node::stop(duration limit) {
  if (!impl_->running) {
    return true;
  }
  const bool drained = impl_->running->drain(limit);
  if (!impl_->running->close()) {
    // A handler that never returns still uses all of it; better lost than freed under its feet.
    static_cast<void>(impl_->running.release());
    return false;
  }
  impl_->running.reset();
  return drained;
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
