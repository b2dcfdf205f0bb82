#pragma once

#include <mailroom/framework/base/error.hpp>

#include <atomic>
#include <deque>
#include <memory>

namespace mailroom::rpc {

/// An activation's change of executor. Told once what became of it: on a turn of the activation, or
/// on the thread that gives it up.
class relocation {
 public:
  relocation() = default;
  relocation(const relocation&) = delete;
  relocation& operator=(const relocation&) = delete;
  virtual ~relocation() = default;

  /// The first turn at the new executor has begun. No handler starts at the old one any more.
  virtual void arrived() noexcept = 0;

  /// It stays where it is.
  virtual void undone(const error& why) noexcept = 0;

  /// Either the activation sets out, or somebody gives it up before: the first has its way, and
  /// true. @threadsafe
  bool set_out() noexcept { return !decided_.exchange(true); }
  bool give_up(const error& why) noexcept {
    if (decided_.exchange(true)) {
      return false;
    }
    undone(why);
    return true;
  }

 private:
  std::atomic<bool> decided_{false};
};

/// Those that an activation has been asked for, one after the other. Used by its turns.
struct relocations {
  std::deque<std::shared_ptr<relocation>> wanted;  ///< Not empty; the first is on its way.
  bool left = false;  ///< The first one's runner has moved: the next turn is the first there.
};

}  // namespace mailroom::rpc
