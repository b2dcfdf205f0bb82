#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/directory/messages.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mailroom::directory {

/// What an embedded directory knows: who is where until when, and what has changed since when. A
/// state machine that is told the time; it knows no network. Used by one thread.
///
/// Every change has a revision, a number that grows. Who asks for what is newer than a revision
/// gets each registration as it is now, and those that have gone.
class lease_table {
 public:
  struct options {
    duration period = std::chrono::seconds(1);  ///< Leases are renewed so often,
    int periods = 3;                            ///< and end after so many.
    std::size_t most = 65'536;                  ///< Registrations.
    std::size_t kept_departures = 4096;  ///< Who has not heard of older ones is told everything.
  };

  enum class entry : std::uint8_t {
    accepted,
    fenced,  ///< A newer incarnation is at its address.
    full,    ///< It would be one too many.
  };

  lease_table(const wire::identity& epoch, time_point now, const options& with);

  /// A node registers, or says what has changed. What is as before costs no revision.
  entry enter(registration what, time_point now);
  /// False if there is no such lease: it has to register again.
  bool renew(const wire::identity& incarnation, time_point now);
  void leave(const wire::identity& incarnation);
  /// Ends the leases that have run out, and says whose they were. To be called once in a period at
  /// least: if it was not, renewals wait to be read, and all leases last for as long as that.
  std::vector<registration> expire(time_point now);

  /// When `expire` is to be called next.
  time_point next_look() const noexcept;

  /// What there is to tell; empty if nothing has happened that concerns the question.
  news answer(const question& asked, time_point now) const;

  /// Whether the question is to be answered although nothing has happened.
  bool is_urgent(const question& asked) const noexcept;

  /// The keys that something has happened to since this was called last.
  std::set<key> take_touched() noexcept;

  /// Who holds an address; null: nobody.
  const registration* find(const std::string& address) const;
  listing list(time_point now) const;
  std::size_t size() const noexcept { return leases_.size(); }
  std::uint64_t revision() const noexcept { return revision_; }

 private:
  struct lease {
    registration what;
    std::vector<key> ever;  // Topics that it has told, in this incarnation.
    std::uint64_t changed = 0;
    time_point entered;
    time_point renewed;
    time_point ends;
  };
  using leases = std::map<std::string, lease, std::less<>>;  // By address.
  struct gone {
    std::uint64_t revision;
    departure what;
    std::vector<key> keys;
  };

  time_point end_of(time_point renewed) const noexcept;
  void touch(const std::vector<key>& keys);
  leases::iterator drop(leases::iterator which, bool lapsed);
  bool is_complete(const question& asked) const noexcept;

  const wire::identity epoch_;
  const time_point began_;
  const options options_;
  leases leases_;
  std::map<wire::identity, std::string> addresses_;  // By incarnation.
  std::map<key, std::set<std::string>> servers_;     // Addresses by `lease::ever`.
  std::deque<gone> departures_;
  std::uint64_t forgotten_ = 0;  // Departures up to this revision.
  std::uint64_t revision_ = 1;
  std::set<key> touched_;
  time_point looked_;
  time_point first_end_ = time_point::max();  // No lease ends before this.
};

}  // namespace mailroom::directory
