#pragma once

#include <mailroom/framework/base/platform.hpp>
#include <mailroom/framework/directory/source.hpp>
#include <mailroom/framework/directory/view.hpp>
#include <mailroom/framework/rpc/loop_alarm.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace mailroom::directory {

/// A node's place among others: what it is, told to all its directories, and whom it calls, heard
/// from all of them. Knows which addresses to connect to, and for which topics it is not yet known
/// who serves them. Lives on the control thread, but for what is marked.
class membership final : private observer {
 public:
  /// What is to be done; called on the control thread.
  struct hooks {
    /// It serves a topic that is called here: to be connected to, or known already and changed.
    std::function<void(const registration&)> found;
    /// No directory has it any more, or it drains. A live session outranks a missing lease: it may
    /// be there all the same until that ends, and says itself when it takes no more calls.
    std::function<void(const std::string& address)> gone;
    /// Whether callers of a topic that has no server yet should wait for the answer of a directory
    /// or for a connection. At first they should.
    std::function<void(const key&, bool)> awaited;
    /// Why none of the directories can be reached; empty: one can.
    std::function<void(const std::string& why)> without;
  };

  membership(executors::event_loop& loop, platform& host, const wire::identity& self, hooks tell);
  ~membership();

  /// Before anything else.
  void add(std::unique_ptr<source> directory);
  observer& listener() noexcept { return *this; }

  /// This node calls a topic.
  void call(const key& what);
  /// The first attempt to connect to an address that was `found` has ended, one way or the other.
  void settled(const std::string& address);
  /// Whether the address is one of those found and not gone.
  bool has(const std::string& address) const { return found_.contains(address); }

  /// What this node is from now on. `told` is called once, when all directories that can be reached
  /// have taken it.
  void publish(const registration& self, std::function<void()> told);
  /// This node leaves, and this is its last word.
  void close(const farewell& last) noexcept;

 private:
  struct known {
    registration what;
    bool settled = false;
  };

  void on_news(source& from, const news& what) override;
  void on_changed(source& of) override;
  void look();
  void compare();
  void tell_awaited();
  bool is_awaited(const key& what, time_point now) const;
  void tell_unreachable();
  void on_alarm();

  platform& host_;
  const wire::identity self_;
  const hooks hooks_;
  rpc::loop_alarm alarm_;
  std::vector<std::unique_ptr<source>> directories_;
  view view_;
  std::map<key, bool> called_;  // And whether callers were told to wait.
  std::map<std::string, known> found_;
  std::string without_;
};

}  // namespace mailroom::directory
