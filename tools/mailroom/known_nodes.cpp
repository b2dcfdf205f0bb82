#include <mailroom/services/host/addresses.hpp>
#include <mailroom/tools/mailroom/command.hpp>
#include <mailroom/tools/mailroom/command_line.hpp>
#include <mailroom/tools/mailroom/connected_node.hpp>
#include <mailroom/tools/mailroom/in_parallel.hpp>
#include <mailroom/tools/mailroom/known_nodes.hpp>

#include <mailroom/framework/base/config.hpp>
#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/directory/messages.hpp>
#include <mailroom/framework/directory/view.hpp>
#include <mailroom/framework/observability/log.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

namespace mailroom::cli {
namespace {

std::vector<std::string> from_environment() {
  std::vector<std::string> all;
  for (const auto& [name, value] : process_environment()) {
    if (name == environment_name("node.directory")) {
      std::istringstream words(value);
      for (std::string word; std::getline(words, word, ',');) {
        all.push_back(word);
      }
    }
  }
  return all;
}

// What each says, in order.
result<std::vector<result<bytes>>> ask_all(const std::vector<std::string>& directories,
                                           const char* verb,
                                           time_point until) {
  log::set_level(log::level::off);
  node here({.connect = directories, .connect_within = duration::zero()});
  if (auto started = here.start(); !started) {
    return started.error();
  }
  // One that does not answer leaves time for what is to be done with the answers of the others.
  const duration enough = directories.size() > 1 ? left_until(until) / 2 : left_until(until);
  return in_parallel(directories,
                     [&](const std::string& each) { return here.admin(each, verb, enough); });
}

// By the clocks of two machines.
std::uint64_t lived(const directory::registration& node) {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  return static_cast<std::uint64_t>(std::max<std::int64_t>(now.count() - node.born, 0));
}

}  // namespace

std::vector<std::string> directories_or_default(const std::vector<std::string>& named) {
  return named.empty() ? from_environment() : named;
}

std::string hexadecimal(const wire::identity& id) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::byte each : id) {
    text += digits[static_cast<unsigned>(each) >> 4U];
    text += digits[static_cast<unsigned>(each) & 15U];
  }
  return text;
}

void add_directories(const command& to, std::vector<std::string>& value) {
  to.add_words("--directory",
               value,
               "Addresses of directories; default: MAILROOM_DIRECTORY",
               "ADDRESS,...")
      .check(&check_connect_address);
}

result<known_nodes> find_nodes(const std::vector<std::string>& directories, time_point until) {
  const auto asked = directories_or_default(directories);
  if (asked.empty()) {
    return error(errc::invalid_value, "name a directory: --directory ADDRESS");
  }
  const auto answers = ask_all(asked, directory::list_verb, until);
  if (!answers) {
    return answers.error();
  }
  known_nodes found;
  directory::view merged;
  std::map<wire::identity, known_node> known;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto& answer = (*answers)[i];
    const auto told = answer ? directory::read_listing(answer->view())
                             : result<directory::listing>(answer.error());
    if (!told) {
      found.silent.push_back(told.error() == errc::no_such_method
                                 ? asked[i] + " is a node, but no directory"
                                 : "directory " + asked[i] + ": " + told.error().to_string());
      continue;
    }
    found.oldest_ms = std::max(found.oldest_ms, told->age_ms);
    directory::news all;
    all.complete = true;
    for (const auto& each : told->nodes) {
      all.joined.push_back(each.what);
      const auto [at, is_new] = known.try_emplace(each.what.incarnation);
      known_node& one = at->second;
      one.age_ms = std::max(one.age_ms, each.age_ms);
      one.renewed_ms = is_new ? each.renewed_ms : std::min(one.renewed_ms, each.renewed_ms);
      one.directories.push_back(asked[i]);
    }
    merged.tell(asked[i], all, clock::now());
  }
  if (found.silent.size() == asked.size()) {
    std::string why;
    for (const auto& each : found.silent) {
      why += (why.empty() ? "" : "; ") + each;
    }
    return error(errc::unreachable, "no directory answers: " + why);
  }
  for (const auto& [address, each] : merged.all()) {
    auto& one = known[each.incarnation];
    one.what = each;
    one.lived_ms = lived(each);
    found.nodes.push_back(std::move(one));
  }
  return found;
}

gone_nodes find_gone(const std::vector<std::string>& directories, time_point until) {
  gone_nodes found;
  const auto answers =
      ask_all(directories_or_default(directories), directory::departed_verb, until);
  if (!answers) {
    return found;
  }
  std::map<wire::identity, directory::departed> known;
  for (const auto& answer : *answers) {
    auto told = answer ? directory::read_departures(answer->view())
                       : result<directory::departures>(answer.error());
    if (!told) {
      continue;
    }
    for (auto& each : told->nodes) {
      const auto [at, is_new] = known.try_emplace(each.last.incarnation, each);
      if (!is_new && at->second.lapsed) {
        at->second = std::move(each);  // This one may have heard its last word.
      }
    }
    if (told->earlier.left + told->earlier.lapsed > found.earlier.left + found.earlier.lapsed) {
      found.earlier = std::move(told->earlier);
    }
  }
  for (auto& [incarnation, each] : known) {
    found.nodes.push_back(std::move(each));
  }
  return found;
}

namespace {

// What became of it, if directories remember.
std::string last_of(const std::string& name,
                    const std::vector<std::string>& directories,
                    time_point until) {
  std::string told;
  std::uint64_t age_ms = std::numeric_limits<std::uint64_t>::max();
  for (const auto& each : find_gone(directories, until).nodes) {
    if (each.last.node == name && each.age_ms < age_ms) {
      age_ms = each.age_ms;
      told = "; one at " + each.last.address +
             (each.lapsed ? " went without a word " : " left in good order ") +
             format_duration(std::chrono::seconds(each.age_ms / 1000)) + " ago";
    }
  }
  return told;
}

}  // namespace

result<std::string> address_of_node(const std::string& name,
                                    const std::vector<std::string>& directories,
                                    time_point until) {
  const auto found = find_nodes(directories, until);
  if (!found) {
    return found.error();
  }
  std::vector<std::string> names;
  std::vector<std::string> addresses;
  for (const auto& each : found->nodes) {
    names.push_back(each.what.node);
    if (each.what.node == name) {
      addresses.push_back(each.what.address);
    }
  }
  if (addresses.size() > 1) {
    return error(errc::invalid_target,
                 std::to_string(addresses.size()) + " nodes are called '" + name + "', at " +
                     addresses[0] + " and " + addresses[1] + ": say which with --connect");
  }
  if (addresses.empty()) {
    const std::string near = nearest(name, names);
    return error(errc::no_server,
                 "no directory knows a node called '" + name + "'" +
                     (near.empty() ? "" : " (nearest: " + near + ")") +
                     last_of(name, directories, until));
  }
  return addresses.front();
}

void complain_of_silent(const std::string& verb, const known_nodes& found) {
  for (const auto& each : found.silent) {
    complain(verb, each);
  }
}

}  // namespace mailroom::cli
