#pragma once

#include <mailroom/framework/base/error.hpp>

#include <deque>
#include <memory>

namespace mailroom::rpc {

/// An activation's change of executor. Told once, on a turn of the activation, what became of it.
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
};

/// Those that an activation has been asked for, one after the other. Used by its turns.
struct relocations {
  std::deque<std::shared_ptr<relocation>> wanted;  ///< Not empty; the first is on its way.
  bool left = false;  ///< The first one's runner has moved: the next turn is the first there.
};

}  // namespace mailroom::rpc
