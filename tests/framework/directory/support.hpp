#pragma once

#include <mailroom/framework/directory/messages.hpp>

#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

// What the tests of this folder say in a word.

namespace mailroom::directory {

inline std::ostream& operator<<(std::ostream& out, const key& what) {
  return out << what.exchange << '/' << what.topic;
}

}  // namespace mailroom::directory

namespace mailroom::tests {

inline wire::identity identity(int number) {
  wire::identity made{};
  made[0] = static_cast<std::byte>(number);
  return made;
}

inline directory::key topic(const std::string& name) {
  return {"mailroom", name};
}

/// Incarnation `number` of a node at an address of its own; `born` orders those at one address.
inline directory::registration node_at(const std::string& address,
                                       int number,
                                       std::vector<directory::key> topics,
                                       std::int64_t born = 1) {
  directory::registration made;
  made.node = "node-" + std::to_string(number);
  made.incarnation = identity(number);
  made.born = born;
  made.address = address;
  made.topics = std::move(topics);
  return made;
}

inline directory::question about(std::vector<directory::key> fresh) {
  directory::question asked;
  asked.fresh = std::move(fresh);
  return asked;
}

/// What to ask next after `told`, of the same keys.
inline directory::question after(const directory::news& told, std::vector<directory::key> keys) {
  directory::question asked;
  asked.epoch = told.epoch;
  asked.revision = told.revision;
  asked.keys = std::move(keys);
  asked.wait_ms = 10'000;
  return asked;
}

inline std::vector<std::string> addresses(const directory::news& told) {
  std::vector<std::string> all;
  for (const auto& each : told.joined) {
    all.push_back(each.address);
  }
  return all;
}

using names = std::vector<std::string>;

}  // namespace mailroom::tests
