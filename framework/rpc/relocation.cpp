// How an activation moves to another executor: at the end of a turn, with no fiber parked.

#include <mailroom/framework/rpc/activation.hpp>
#include <mailroom/framework/rpc/relocation.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace mailroom::rpc {
namespace {

error gone() {
  return error(errc::stopping, "the endpoint is stopping; it stays where it is");
}

}  // namespace

/// An order on its way to a turn.
class activation::relocation_note final : public async::work {
 public:
  relocation_note(activation& at, std::shared_ptr<relocation> what, std::optional<error> withdrawn)
      : at_(at), what_(std::move(what)), withdrawn_(std::move(withdrawn)) {}

  void run() noexcept override {
    const std::unique_ptr<relocation_note> owned(this);
    if (withdrawn_) {
      at_.undo_relocation(*what_, *withdrawn_);
    } else {
      at_.begin_relocation(std::move(what_));
    }
  }
  bool beside_handlers() const noexcept override { return true; }
  void dropped() noexcept override {
    if (!withdrawn_) {
      what_->undone(gone());
    }
    delete this;
  }

 private:
  activation& at_;
  std::shared_ptr<relocation> what_;
  const std::optional<error> withdrawn_;
};

void activation::relocate(std::shared_ptr<relocation> to) {
  post(*new relocation_note(*this, std::move(to), std::nullopt));
}

void activation::withdraw(std::shared_ptr<relocation> what, error why) {
  post(*new relocation_note(*this, std::move(what), std::move(why)));
}

void activation::begin_relocation(std::shared_ptr<relocation> to) noexcept {
  if (!is_open()) {
    to->undone(gone());
    return;
  }
  if (!moving_) {
    moving_ = std::make_unique<relocations>();
  }
  moving_->wanted.push_back(std::move(to));
}

void activation::undo_relocation(const relocation& what, const error& why) noexcept {
  if (!moving_) {
    return;
  }
  auto& wanted = moving_->wanted;
  const auto found = std::find_if(
      wanted.begin(), wanted.end(), [&](const auto& each) { return each.get() == &what; });
  if (found == wanted.end() || (found == wanted.begin() && moving_->left)) {
    return;
  }
  const auto undone = *found;
  wanted.erase(found);
  if (wanted.empty()) {
    moving_.reset();
  }
  undone->undone(why);
}

// Whether this turn ends here, so that the next one is somewhere else.
bool activation::leaves() noexcept {
  if (fibers_ != 0) {
    return false;
  }
  if (!moving_->left) {
    moving_->left = true;
    runner_.move(*moving_->wanted.front());
  }
  return true;
}

void activation::arrive() noexcept {
  if (!moving_->left) {
    return;
  }
  moving_->left = false;
  const auto done = std::move(moving_->wanted.front());
  moving_->wanted.pop_front();
  if (moving_->wanted.empty()) {
    moving_.reset();
  }
  done->arrived();
}

void activation::refuse_relocations() noexcept {
  while (moving_ && moving_->wanted.size() > (moving_->left ? 1U : 0U)) {
    undo_relocation(*moving_->wanted.back(), gone());
  }
}

}  // namespace mailroom::rpc
