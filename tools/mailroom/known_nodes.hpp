#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/directory/messages.hpp>
#include <mailroom/framework/directory/registration.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace mailroom::cli {

class command;

/// A node, as directories know it.
struct known_node {
  directory::registration what;
  std::uint64_t age_ms = 0;              ///< Since it registered,
  std::uint64_t renewed_ms = 0;          ///< and since it was last heard of there.
  std::uint64_t lived_ms = 0;            ///< Since it began, by its clock and ours.
  std::vector<std::string> directories;  ///< Those that have it.
};

struct known_nodes {
  std::vector<known_node> nodes;    ///< By address, each once.
  std::vector<std::string> silent;  ///< Directories that did not answer, and why.
  std::uint64_t oldest_ms = 0;      ///< How long the oldest of those that did has listened.
};

/// --directory, or what MAILROOM_DIRECTORY says.
void add_directories(const command& to, std::vector<std::string>& value);

std::vector<std::string> directories_or_default(const std::vector<std::string>& named);

/// All nodes that are registered with some of these directories. Fails if none of them answers by
/// `until`, or none is named (`errc::invalid_value`).
result<known_nodes> find_nodes(const std::vector<std::string>& directories, time_point until);

/// Nodes that are gone, by what some of these directories know of them.
struct gone_nodes {
  std::vector<directory::departed> nodes;  ///< Each once.
  directory::earlier_departures earlier;   ///< As the directory tells that has seen most.
};

/// Those that do not answer are passed over: `find_nodes` names them.
gone_nodes find_gone(const std::vector<std::string>& directories, time_point until);

/// Where the node of this name is registered. Fails also if there is none (the message names the
/// nearest), or more than one.
result<std::string> address_of_node(const std::string& name,
                                    const std::vector<std::string>& directories,
                                    time_point until);

/// One line for each directory that did not answer, while others did.
void complain_of_silent(const std::string& verb, const known_nodes& found);

/// As people read it.
std::string hexadecimal(const wire::identity& id);

}  // namespace mailroom::cli
