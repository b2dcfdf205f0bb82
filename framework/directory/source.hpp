#pragma once

#include <mailroom/framework/base/clock.hpp>
#include <mailroom/framework/base/error.hpp>
#include <mailroom/framework/directory/messages.hpp>
#include <mailroom/framework/directory/registration.hpp>

#include <functional>
#include <string>

namespace mailroom::directory {

class source;

/// Who is told what a directory says. Control thread.
class observer {
 public:
  virtual void on_news(source& from, const news& what) = 0;
  /// It was reached, or not, or has told all that it knows of something asked for.
  virtual void on_changed(source& of) = 0;

 protected:
  ~observer() = default;
};

/// A directory, as a node sees it: what each kind must do. Lives on the node's control thread and
/// never blocks. What it says are hints: it may be late, and it may be out of reach for any length
/// of time, in which what it said last holds.
class source {
 public:
  enum class state : std::uint8_t {
    trying,     ///< For the first time.
    reached,    ///<
    unreached,  ///< It will be tried again, for ever.
  };

  virtual ~source() = default;

  /// What people call it: its address.
  virtual const std::string& name() const noexcept = 0;
  virtual state reached() const noexcept = 0;
  /// Why it is not reached.
  virtual std::string why() const = 0;

  /// From now on this is what the node is: told now or as soon as the directory can be reached,
  /// and kept up by renewals. Calls `told` once, when the directory has taken it or is out of
  /// reach.
  virtual void publish(const registration& self, std::function<void()> told) = 0;

  /// From now on the observer is told of all nodes that serve this.
  virtual void watch(const key& what) = 0;
  /// Whether it has told all that it knows of this. One that began so recently that nodes may
  /// still be on their way to it has not, before `settled_at`, if it knows of nobody.
  virtual bool has_told(const key& what) const = 0;
  virtual time_point settled_at() const noexcept = 0;

  /// The node leaves, and this is its last word; nothing follows.
  virtual void close(const farewell& last) noexcept = 0;
};

}  // namespace mailroom::directory
