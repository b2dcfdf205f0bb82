#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/directory/messages.hpp>

#include <cstddef>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace mailroom::directory {

/// What several directories that know nothing of each other tell, as one: pure, told the time. Used
/// by one thread.
///
/// A node is there while one of them has it; one that left by its own word is gone whatever the
/// others still say. Of two incarnations at one address the newer is there. A directory that began
/// anew is given time until nodes have come back to it; meanwhile what it told before holds.
class view {
 public:
  using nodes = std::map<std::string, registration, std::less<>>;  // By address.

  /// What `directory` tells.
  void tell(const std::string& directory, const news& what, time_point now);
  /// `directory` is asked no more.
  void forget(const std::string& directory);

  /// Ends what was only kept until now. True if something has changed.
  bool expire(time_point now);
  /// When to call `expire` next.
  time_point next_end() const noexcept;

  /// Who is there. Refers to this; until it changes.
  const nodes& all() const noexcept { return merged_; }

 private:
  struct known {
    registration what;
    time_point until = time_point::max();  // Another: the directory began anew without it.
  };
  using told = std::map<std::string, known, std::less<>>;

  void leaves(const wire::identity& incarnation, const std::string& directory);
  void comes_back(const wire::identity& incarnation, const std::string& directory);
  void merge();

  std::map<std::string, told> told_;  // By directory.
  // Who left by its own word, and which directories said so; the newest last: as many as may still
  // be told of by others.
  std::map<wire::identity, std::set<std::string>> left_;
  std::deque<wire::identity> left_in_order_;
  nodes merged_;
};

}  // namespace mailroom::directory
