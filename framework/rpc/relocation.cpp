// How an activation moves to another executor: at the end of a turn, with no fiber parked.

#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/relocation.hpp>

#include <algorithm>
#include <memory>
#include <utility>

namespace mailroom::rpc {
namespace {

error gone() {
  return error(errc::stopping, "the endpoint is stopping; it stays where it is");
}

}  // namespace

/// An order on its way to a turn, or word that one was given up.
class activation::relocation_note final : public async::work {
 public:
  relocation_note(activation& at, std::shared_ptr<relocation> what, bool given_up)
      : at_(at), what_(std::move(what)), given_up_(given_up) {}

  void run() noexcept override {
    const std::unique_ptr<relocation_note> owned(this);
    if (given_up_) {
      at_.forget_relocation(*what_);
    } else {
      at_.begin_relocation(std::move(what_));
    }
  }
  bool beside_handlers() const noexcept override { return true; }
  void dropped() noexcept override {
    what_->give_up(gone());
    delete this;
  }

 private:
  activation& at_;
  std::shared_ptr<relocation> what_;
  const bool given_up_;
};

void activation::relocate(std::shared_ptr<relocation> to) {
  post(*new relocation_note(*this, std::move(to), false));
}

bool activation::withdraw(std::shared_ptr<relocation> what, const error& why) {
  if (!what->give_up(why)) {
    return false;
  }
  waits_to_move_.store(false, std::memory_order_relaxed);  // Its turns may hang as well.
  post(*new relocation_note(*this, std::move(what), true));
  return true;
}

void activation::relocations_changed() noexcept {
  if (moving_ && moving_->wanted.empty()) {
    moving_.reset();
  }
  waits_to_move_.store(moving_ && !moving_->left, std::memory_order_relaxed);
}

void activation::begin_relocation(std::shared_ptr<relocation> to) noexcept {
  if (!is_open()) {
    to->give_up(gone());
    return;
  }
  if (!moving_) {
    moving_ = std::make_unique<relocations>();
  }
  moving_->wanted.push_back(std::move(to));
  relocations_changed();
}

void activation::forget_relocation(const relocation& what) noexcept {
  if (!moving_) {
    return;
  }
  auto& wanted = moving_->wanted;
  const auto found = std::find_if(
      wanted.begin(), wanted.end(), [&](const auto& each) { return each.get() == &what; });
  if (found == wanted.end() || (found == wanted.begin() && moving_->left)) {
    return;
  }
  wanted.erase(found);
  relocations_changed();
}

// Whether this turn ends here, so that the next one is somewhere else.
bool activation::leaves() noexcept {
  if (fibers_ != 0) {
    return false;
  }
  if (moving_->left) {
    return true;
  }
  const auto next = moving_->wanted.front();
  if (!next->set_out()) {
    forget_relocation(*next);  // The word of it is on its way.
    return moving_ && leaves();
  }
  moving_->left = true;
  relocations_changed();
  runner_.move(*next);
  return true;
}

void activation::arrive() noexcept {
  if (!moving_->left) {
    return;
  }
  moving_->left = false;
  const auto done = std::move(moving_->wanted.front());
  moving_->wanted.pop_front();
  relocations_changed();
  done->arrived();
}

void activation::refuse_relocations() noexcept {
  while (moving_ && moving_->wanted.size() > (moving_->left ? 1U : 0U)) {
    const auto last = moving_->wanted.back();
    last->give_up(gone());
    forget_relocation(*last);
  }
}

}  // namespace mailroom::rpc
