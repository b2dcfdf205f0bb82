#include <mailroom/framework/rpc/chunk_sender.hpp>
#include <mailroom/framework/rpc/link_writer.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace mailroom::rpc {

chunk_sender::large_body chunk_sender::take_out_of(wire::batch& batch,
                                                   std::uint64_t id,
                                                   deadline until) {
  const auto message = batch.message();
  const auto head_size = wire::load<std::uint16_t>(message.data() + 2);
  const auto head = message.subspan(wire::message_head_size, head_size);
  large_body taken{id, {}, wire::batch(wire::plane::data), 0, until};
  const auto flags = static_cast<std::uint8_t>(message[1]);
  std::memcpy(taken.rest.begin(static_cast<wire::kind>(message[0]), head_size, flags),
              head.data(),
              head.size());
  taken.rest.finish();
  taken.bytes.append(message.subspan(wire::message_head_size + head_size));
  batch.drop();
  return taken;
}

void chunk_sender::send(large_body what, time_point now) {
  backlog_ += what.bytes.size();
  bodies_.push_back(std::move(what));
  go_on(now);
}

void chunk_sender::taken(std::uint64_t bytes, time_point now) {
  taken_ = std::min(taken_ + bytes, left_);
  duration round_trip = duration::zero();
  while (!under_way_.empty() && under_way_.front().end <= taken_) {
    round_trip = now - under_way_.front().at;
    under_way_.pop_front();
  }
  if (round_trip > duration::zero()) {
    pace_.taken(bytes, round_trip);
  }
  go_on(now);
}

void chunk_sender::close() noexcept {
  bodies_.clear();
  under_way_.clear();
  backlog_ = 0;
}

void chunk_sender::go_on(time_point now) {
  while (!bodies_.empty()) {
    large_body& first = bodies_.front();
    if (first.until.passed(now)) {
      backlog_ -= first.bytes.size() - first.at;
      bodies_.pop_front();
      continue;
    }
    while (first.at < first.bytes.size() && left_ - taken_ < pace_.window()) {
      write_chunk(first, now);
    }
    if (first.at < first.bytes.size()) {
      return;  // Goes on when the peer has taken some.
    }
    writer_.append(std::move(first.rest));
    if (first.price != 0) {
      writer_.charge(first.price);
    }
    writer_.written();
    bodies_.pop_front();
  }
}

void chunk_sender::write_chunk(large_body& of, time_point now) {
  const std::size_t size = std::min(of.bytes.size() - of.at, pace_.chunk());
  wire::batch& batch = writer_.pending();
  const wire::chunk_head head{of.id, of.at, of.bytes.size()};
  head.write(batch.begin(wire::kind::chunk, wire::chunk_head::size));
  batch.bytes().append(of.bytes.bytes().subspan(of.at, size));
  batch.finish();
  writer_.flush();
  of.at += size;
  backlog_ -= size;
  left_ += size;
  under_way_.push_back({left_, now});
}

}  // namespace mailroom::rpc
