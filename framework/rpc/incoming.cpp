#include <mailroom/framework/base/counting.hpp>
#include <mailroom/framework/rpc/incoming.hpp>
#include <mailroom/framework/rpc/method.hpp>

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <typeinfo>

namespace mailroom::rpc {
namespace {

std::string type_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> readable(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? readable.get() : type.name();
}

}  // namespace

bool incoming::begin_answer() noexcept {
  open_ = false;
  if (!wants_answer_) {
    count_one(at_->counting().answered);
    return false;
  }
  if (!until_.is_none() && until_.passed(at_->answer_time())) {
    count_one(at_->counting().expired);
    fail_uncounted(
        error(errc::expired, execution::ran_and_failed, "the handler ended after the deadline"));
    return false;
  }
  return true;
}

wire::batch& incoming::open_answer() {
  wire::batch& batch = from_->answers();
  wire::store(batch.begin(wire::kind::reply, wire::id_head::size, answer_flags()), id_);
  return batch;
}

void incoming::finish_answer(wire::batch& batch) noexcept {
  const std::size_t size = batch.message_size() - wire::message_head_size - wire::id_head::size;
  if (size > from_->bounds().max_body) {
    fail_as_too_large(batch, size);
    return;
  }
  count_one(at_->counting().answered);
  if (key_) {
    key_->succeeded(batch.bytes().bytes().last(size), answer_flags(), at_->now());
  }
  if (from_->wants_chunks(size)) {
    from_->write_in_chunks(batch, id_, until_);
  } else {
    batch.finish();
    from_->written();
  }
  if (key_) {
    key_->tell();
  }
}

void incoming::fail_as_too_large(wire::batch& batch, std::size_t size) noexcept {
  batch.drop();
  fail(error(errc::too_large,
             execution::ran_and_failed,
             "the result has " + std::to_string(size) + " bytes, over the limit of " +
                 std::to_string(from_->bounds().max_body)));
}

void incoming::abandon() noexcept {
  fail(error(errc::abandoned, "the handler dropped the call without answering"));
}

std::uint8_t incoming::answer_flags() const noexcept {
  return what_->idempotent() ? wire::id_head::idempotent_flag : std::uint8_t{0};
}

void incoming::fail(const error& why) noexcept {
  at_->counting().failed.fetch_add(1, std::memory_order_relaxed);
  fail_uncounted(why);
}

void incoming::fail_uncounted(const error& why) noexcept {
  open_ = false;
  if (wants_answer_) {
    wire::write_failure(from_->answers(), id_, why);
    if (key_) {
      key_->failed(why, at_->now());
    }
    from_->written();
    if (key_) {
      key_->tell();
    }
  }
}

void incoming::fail_with_current_exception() noexcept {
  try {
    throw;
  } catch (const call_error& thrown) {
    fail(ran_and_failed(thrown.why()));
  } catch (const std::exception& thrown) {
    fail(error(
        errc::handler_failed, execution::ran_and_failed, thrown.what(), type_name(typeid(thrown))));
  } catch (const async::flow_cancelled&) {
    fail(error(errc::cancelled, execution::ran_and_failed, "the server ended the handler"));
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    fail(error(errc::handler_failed,
               execution::ran_and_failed,
               "the handler threw something that is no std::exception",
               type != nullptr ? type_name(*type) : std::string()));
  }
}

}  // namespace mailroom::rpc
