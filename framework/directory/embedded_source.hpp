#pragma once

#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/directory/source.hpp>
#include <mailroom/framework/rpc/loop_alarm.hpp>
#include <mailroom/framework/wire/bytes.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace mailroom::directory {

/// An embedded directory, as a node sees it: asks its verbs over a control link that somebody else
/// keeps up. One question waits there for news; registrations are renewed as often as it says, and
/// made anew when it does not know them any more.
class embedded_source final : public source {
 public:
  using answer = std::function<void(result<bytes>)>;
  /// Asks a verb of the directory; the answer comes on the control thread, an error if the link
  /// ends before.
  using ask_verb =
      std::function<void(std::string verb, std::span<const std::byte> arguments, answer tell)>;

  embedded_source(executors::event_loop& loop,
                  platform& host,
                  std::string address,
                  const wire::identity& self,
                  ask_verb ask,
                  observer& tells);

  /// The link is up: everything that this node has to say is said anew.
  void link_up();
  void link_down(const error& why);

  const std::string& name() const noexcept override { return address_; }
  state reached() const noexcept override { return state_; }
  std::string why() const override { return why_; }
  void publish(const registration& self, std::function<void()> told) override;
  void watch(const key& what) override;
  bool has_told(const key& what) const override { return known_.contains(what); }
  time_point settled_at() const noexcept override { return settled_at_; }
  void close(const farewell& last) noexcept override;

 private:
  std::string why_not(const error& told) const;
  void enter();
  void entered(const result<bytes>& told);
  void renew();
  void ask();
  void told(std::uint64_t question, const result<bytes>& what);
  void on_alarm();
  void all_taken();

  platform& host_;
  const std::string address_;
  const wire::identity incarnation_;
  const ask_verb ask_;
  observer& observer_;
  rpc::loop_alarm alarm_;
  state state_ = state::trying;
  std::string why_;
  bool is_up_ = false;      // The link.
  std::uint64_t link_ = 0;  // Counts them; what is answered about an older one is no news.

  std::optional<registration> self_;
  std::vector<std::function<void()>> taken_;  // Who waits for it to be taken.
  bool entering_ = false;
  bool enter_again_ = false;  // It changed while that was under way.
  bool registered_ = false;
  bool renewing_ = false;
  bool complained_ = false;
  duration period_ = std::chrono::seconds(1);
  time_point renew_at_ = time_point::max();

  wire::identity epoch_{};
  std::uint64_t revision_ = 0;
  std::set<key> known_;         // It has told all of these, up to the revision.
  std::set<key> fresh_;         // It has not.
  std::set<key> asked_;         // Of fresh_, those in the question that is out.
  std::uint64_t question_ = 0;  // The newest; 0: none is out.
  std::uint64_t last_question_ = 0;
  time_point ask_at_ = time_point::max();  // Again, after a failure.
  time_point settled_at_ = time_point::min();
};

}  // namespace mailroom::directory
