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
                     sharing how,
                     std::uint32_t loop) {
  activation* const first = instances.front();
  auto all =
      instances.size() > 1 ? std::make_unique<instance_group>(std::move(instances), how) : nullptr;
  const std::unique_lock lock(mutex_);
  auto& of_topic = topics_[{served->exchange, served->topic}];
  const bool is_new = of_topic.entries.empty();
  if (is_new) {
    of_topic.loop = loop;
  }
  of_topic.entries.push_back({std::move(served), first, std::move(all)});
  generation_.fetch_add(1, std::memory_order_release);
  return is_new;
}

std::vector<wire::topic_home> dispatcher::topics() const {
  const std::shared_lock lock(mutex_);
  std::vector<wire::topic_home> all;
  all.reserve(topics_.size());
  for (const auto& [name, of_topic] : topics_) {
    all.push_back({name.first, name.second, of_topic.loop});
  }
  return all;
}

std::optional<std::uint32_t> dispatcher::loop_of(const std::string& exchange,
                                                 const std::string& topic) const {
  const std::shared_lock lock(mutex_);
  const auto at = topics_.find({exchange, topic});
  return at == topics_.end() ? std::nullopt : std::optional(at->second.loop);
}

bool dispatcher::set_loop(const std::string& topic, std::uint32_t loop) {
  const std::unique_lock lock(mutex_);
  bool changed = false;
  for (auto& [name, of_topic] : topics_) {
    if (name.second == topic) {
      changed |= std::exchange(of_topic.loop, loop) != loop;
    }
  }
  return changed;
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
  const auto& entries = of_topic->second.entries;
  for (const auto& each : entries) {
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
                     in_quotes(entries.front().served->name_space));
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
    const std::function<void(const target&, std::span<activation* const>, std::uint32_t loop)>& see)
    const {
  const std::shared_lock lock(mutex_);
  for (const auto& [name, of_topic] : topics_) {
    for (const auto& one : of_topic.entries) {
      see(*one.served, one.instances(), of_topic.loop);
    }
  }
}

}  // namespace mailroom::rpc
