#include <mailroom/tests/cluster/emulated_path.hpp>

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

namespace mailroom::tests {
namespace {

constexpr std::size_t most_waiting = 20'000;  // Packets; more would be memory, not a network.

duration seconds(double number) {
  return std::chrono::duration_cast<duration>(std::chrono::duration<double>(number));
}

}  // namespace

std::optional<path_settings> read_path_settings(const std::string& text) {
  path_settings read;
  const auto milliseconds = [](duration& into) {
    return [&into](double number) { into = seconds(number / 1000); };
  };
  const auto number = [](double& into) { return [&into](double given) { into = given; }; };
  const std::map<std::string, std::function<void(double)>> known{
      {"delay_ms", milliseconds(read.delay)},
      {"jitter_ms", milliseconds(read.jitter)},
      {"loss", number(read.loss)},
      {"duplicate", number(read.duplicate)},
      {"reorder", number(read.reorder)},
      {"rate", number(read.rate)},
      {"queue_ms", milliseconds(read.queue)},
  };
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    std::istringstream pair(word);
    std::string name;
    double value = 0;
    if (!std::getline(pair, name, '=') || !(pair >> value) || !pair.eof() ||
        !known.contains(name)) {
      return std::nullopt;
    }
    known.at(name)(value);
  }
  return read;
}

void emulated_path::put(packet what, time_point now) {
  if (happens(settings_.loss)) {
    return;
  }
  for (int copies = happens(settings_.duplicate) ? 2 : 1; copies > 0; --copies) {
    const auto leaves = leaves_queue(what.size(), now);
    if (!leaves || on_their_way_.size() == most_waiting) {
      return;
    }
    duration travels{0};
    if (!happens(settings_.reorder)) {
      const double more = 2 * chance_(random_) - 1;
      travels =
          settings_.delay + std::chrono::duration_cast<duration>(
                                more * std::chrono::duration<double, std::nano>(settings_.jitter));
    }
    on_their_way_.push({*leaves + std::max(travels, duration::zero()), ++last_number_, what});
  }
}

std::optional<time_point> emulated_path::leaves_queue(std::size_t bytes, time_point now) noexcept {
  if (settings_.rate <= 0) {
    return now;
  }
  const time_point begins = std::max(free_at_, now);
  if (begins - now > settings_.queue) {
    return std::nullopt;
  }
  free_at_ = begins + seconds(static_cast<double>(bytes) * 8 / settings_.rate);
  return free_at_;
}

time_point emulated_path::next() const noexcept {
  return on_their_way_.empty() ? time_point::max() : on_their_way_.top().due;
}

std::optional<emulated_path::packet> emulated_path::take(time_point now) {
  if (next() > now) {
    return std::nullopt;
  }
  packet what = on_their_way_.top().what;
  on_their_way_.pop();
  return what;
}

}  // namespace mailroom::tests
