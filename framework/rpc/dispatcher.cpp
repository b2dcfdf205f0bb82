#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/dispatcher.hpp>
#include <mailroom/framework/rpc/method.hpp>

#include <mutex>
#include <string>
#include <utility>

namespace mailroom::rpc {
namespace {

std::string in_quotes(std::string_view text) {
  return "'" + std::string(text) + "'";
}

}  // namespace

bool dispatcher::add(std::shared_ptr<const target> served,
                     std::vector<activation*> instances,
                     sharing how) {
  activation* const first = instances.front();
  auto all =
      instances.size() > 1 ? std::make_unique<instance_group>(std::move(instances), how) : nullptr;
  const std::unique_lock lock(mutex_);
  auto& entries = topics_[{served->exchange, served->topic}];
  entries.push_back({std::move(served), first, std::move(all)});
  generation_.fetch_add(1, std::memory_order_release);
  return entries.size() == 1;
}

std::vector<std::pair<std::string, std::string>> dispatcher::topics() const {
  const std::shared_lock lock(mutex_);
  std::vector<std::pair<std::string, std::string>> names;
  names.reserve(topics_.size());
  for (const auto& [name, entries] : topics_) {
    names.push_back(name);
  }
  return names;
}

result<dispatcher::found> dispatcher::find(const wire::route& asked) const {
  const std::shared_lock lock(mutex_);
  const auto of_topic = topics_.find({asked.exchange, asked.topic});
  if (of_topic == topics_.end()) {
    return error(errc::no_server,
                 "nobody serves topic " + in_quotes(asked.topic) + " of exchange " +
                     in_quotes(asked.exchange) + " here");
  }
  const entry* of_namespace = nullptr;
  const entry* of_version = nullptr;
  for (const auto& each : of_topic->second) {
    if (each.served->name_space != asked.name_space) {
      continue;
    }
    of_namespace = &each;
    if (!version_is_compatible(each.served->version, asked.version)) {
      continue;
    }
    of_version = &each;
    if (!asked.method.empty() && asked.method.front() != '_') {
      if (const method* what = each.at->definition().find(asked.method)) {
        return found{each.at, what, each.all.get()};
      }
    }
  }
  if (of_namespace == nullptr) {
    return error(errc::no_such_namespace,
                 "topic " + in_quotes(asked.topic) + " has no namespace " +
                     in_quotes(asked.name_space) + "; it has " +
                     in_quotes(of_topic->second.front().served->name_space));
  }
  if (of_version == nullptr) {
    return error(
        errc::unsupported_version,
        "topic " + in_quotes(asked.topic) + " does not serve version " +
            (asked.version.empty() ? "1.0" : asked.version) + "; it serves " +
            (of_namespace->served->version.empty() ? "1.0" : of_namespace->served->version));
  }
  std::vector<std::string> names;
  for (const auto& each : of_version->at->definition().methods) {
    names.emplace_back(each->name());
  }
  const auto near = nearest(asked.method, names);
  return error(errc::no_such_method,
               "topic " + in_quotes(asked.topic) + " has no method " + in_quotes(asked.method) +
                   (near.empty() ? "" : " (nearest: " + near + ")"));
}

void dispatcher::each(
    const std::function<void(const target&, std::span<activation* const>)>& see) const {
  const std::shared_lock lock(mutex_);
  for (const auto& [name, entries] : topics_) {
    for (const auto& one : entries) {
      see(*one.served, one.instances());
    }
  }
}

}  // namespace mailroom::rpc
