#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/dispatcher.hpp>
#include <mailroom/framework/rpc/method.hpp>

#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace mailroom::rpc {
namespace {

std::string in_quotes(std::string_view text) {
  return "'" + std::string(text) + "'";
}

std::string or_first(const std::string& version) {
  return version.empty() ? "1.0" : version;
}

bool serves(const target& served, const wire::route& asked) {
  return served.name_space == asked.name_space &&
         version_is_compatible(served.version, asked.version);
}

std::string in_words(const std::set<std::string>& all) {
  std::string words;
  for (const auto& each : all) {
    words += (words.empty() ? "" : ", ") + each;
  }
  return words;
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
  for (const auto& each : of_topic->second.entries) {
    if (serves(*each.served, asked) && !asked.method.empty() && asked.method.front() != '_') {
      if (const method* what = each.at->definition().find(asked.method)) {
        return found{each.at, what, each.all.get()};
      }
    }
  }
  return what_is_missing(of_topic->second.entries, asked);
}

error dispatcher::what_is_missing(const std::vector<entry>& entries, const wire::route& asked) {
  std::set<std::string> namespaces;
  std::set<std::string> versions;
  bool has_version = false;
  std::vector<std::string> methods;
  for (const auto& each : entries) {
    const target& served = *each.served;
    namespaces.insert(in_quotes(served.name_space));
    if (served.name_space != asked.name_space) {
      continue;
    }
    versions.insert(or_first(served.version));
    if (serves(served, asked)) {
      has_version = true;
      for (const auto& one : each.at->definition().methods) {
        methods.emplace_back(one->name());
      }
    }
  }
  const std::string topic = "topic " + in_quotes(asked.topic);
  if (versions.empty()) {
    return error(errc::no_such_namespace,
                 topic + " has no namespace " + in_quotes(asked.name_space) + "; it has " +
                     in_words(namespaces));
  }
  if (!has_version) {
    return error(errc::unsupported_version,
                 topic + " does not serve version " + or_first(asked.version) + "; it serves " +
                     in_words(versions));
  }
  const auto near = nearest(asked.method, methods);
  return error(errc::no_such_method,
               topic + " has no method " + in_quotes(asked.method) +
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
