#include <mailroom/tests/services/directory/deployments.hpp>

#include <mailroom/framework/directory/server.hpp>
#include <mailroom/framework/observability/log.hpp>

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>

namespace mailroom::tests {
namespace {

constexpr duration heartbeat = std::chrono::milliseconds(200);

class named {
 public:
  explicit named(std::string name) : name_(std::move(name)) {}

  std::string who(context&) { return name_; }
  void count(context&) { ++count_; }
  int counted(context&) { return count_; }

 private:
  std::string name_;
  int count_ = 0;
};

std::unique_ptr<node> start(node_options with, const std::vector<std::string>& topics) {
  log::set_level(log::level::error);
  auto made = std::make_unique<node>(std::move(with));
  for (const auto& each : topics) {
    serve_name(*made, each);
  }
  made->start().value();
  return made;
}

}  // namespace

void serve_name(node& at, const std::string& topic) {
  at.serve({.topic = topic},
           endpoint<named>(at.name())
               .method("who", &named::who)
               .method("count", &named::count)
               .method("counted", &named::counted))
      .value();
}

std::unique_ptr<node> start_directory(const std::string& listen) {
  log::set_level(log::level::error);
  auto made = std::make_unique<node>(
      node_options{.name = "directory", .listen = listen, .heartbeat = heartbeat});
  made->extend_control([](auto& verbs, auto& loop, auto& host) {
    return std::make_shared<directory::server>(
        verbs, loop, host, directory::lease_table::options{.period = heartbeat});
  });
  made->start().value();
  return made;
}

// ---------------------------------------------------------------- embedded

std::vector<std::string> embedded_deployment::addresses() const {
  std::vector<std::string> all;
  for (const auto& each : directories) {
    if (each) {
      all.push_back(each->address());
    }
  }
  return all;
}

std::unique_ptr<node> embedded_deployment::serve(const std::string& name,
                                                 const std::vector<std::string>& topics,
                                                 const std::string& listen) const {
  return start({.name = name, .listen = listen, .directory = addresses(), .heartbeat = heartbeat},
               topics);
}

node_options embedded_deployment::caller() const {
  return {.name = "caller", .directory = addresses(), .heartbeat = heartbeat};
}

// ---------------------------------------------------------------- static

static_deployment::static_deployment() {
  std::string name = std::filesystem::temp_directory_path() / "mailroom-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("no folder for sockets");
  }
  folder_ = name;
}

static_deployment::~static_deployment() {
  std::filesystem::remove_all(folder_);
}

std::string static_deployment::address_of(const std::string& name) const {
  return "ipc://" + folder_ + "/" + name;
}

void static_deployment::expects(const std::string& topic, const std::vector<std::string>& names) {
  for (const auto& each : names) {
    servers_.push_back({.topic = topic, .address = address_of(each)});
  }
}

std::unique_ptr<node> static_deployment::serve(const std::string& name,
                                               const std::vector<std::string>& topics,
                                               const std::string&) const {
  return start({.name = name,
                .listen = address_of(name),
                .static_servers = servers_,
                .heartbeat = heartbeat},
               topics);
}

node_options static_deployment::caller() const {
  return {.name = "caller", .static_servers = servers_, .heartbeat = heartbeat};
}

}  // namespace mailroom::tests
