#include <mailroom/framework/rpc/answer_store.hpp>

namespace mailroom::rpc {

ref<keyed_call> answer_store::arrive(const wire::call_key& key,
                                     caller& from,
                                     std::uint64_t id,
                                     time_point now) {
  // Of a random part, a counter behind one, or bytes that are all random.
  shard& in = shards_[static_cast<std::size_t>(key[7] ^ key[8] ^ key[15]) % shards];
  ref<keyed_call> known;
  {
    const std::lock_guard lock(in.mutex);
    forget_old(in, now);
    auto& place = in.calls[key];
    if (!place) {
      place = make_ref<keyed_call>(*this, in, key);
      return place;
    }
    if (!place->ended_) {
      place->waiting_.push_back({ref<caller>(&from), id});
      return {};
    }
    known = place;
  }
  known->answer({ref<caller>(&from), id});
  return {};
}

std::size_t answer_store::bytes() const {
  std::size_t all = 0;
  for (const auto& each : shards_) {
    const std::lock_guard lock(each.mutex);
    all += each.bytes;
  }
  return all;
}

void answer_store::keep(shard& in, keyed_call& answered, time_point now) {
  in.answered.emplace_back(now, ref<keyed_call>(&answered));
  in.bytes += answered.bytes();
  forget_old(in, now);
}

void answer_store::forget_old(shard& in, time_point now) {
  while (!in.answered.empty() &&
         (in.bytes > limits_.bytes / shards || now - in.answered.front().first >= limits_.time)) {
    const keyed_call& oldest = *in.answered.front().second;
    in.bytes -= oldest.bytes();
    in.calls.erase(oldest.key_);
    in.answered.pop_front();
  }
}

void keyed_call::succeeded(std::span<const std::byte> value, std::uint8_t flags, time_point now) {
  value_.append(value);
  flags_ = flags;
  end(true, now);
}

void keyed_call::failed(const error& why, time_point now) {
  failure_ = why;
  end(why.execution() != execution::not_run, now);
}

void keyed_call::end(bool keep, time_point now) {
  const std::lock_guard lock(in_.mutex);
  ended_ = true;
  if (keep) {
    store_.keep(in_, *this, now);
  } else {
    in_.calls.erase(key_);
  }
}

void keyed_call::tell() {
  for (const auto& each : std::exchange(waiting_, {})) {
    answer(each);
  }
}

void keyed_call::answer(const duplicate& to) const {
  wire::batch& batch = to.from->answers();
  if (failure_) {
    wire::write_failure(batch, to.id, *failure_);
  } else {
    wire::store(batch.begin(wire::kind::reply, wire::id_head::size, flags_), to.id);
    batch.bytes().append(value_.bytes());
    batch.finish();
  }
  to.from->written();
}

}  // namespace mailroom::rpc
