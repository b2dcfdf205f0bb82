#pragma once

#include <mailroom/framework/base/result.hpp>
#include <mailroom/framework/wire/buffer.hpp>
#include <mailroom/framework/wire/bytes.hpp>
#include <mailroom/framework/wire/encoded.hpp>

#include <msgpack.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

/// Bodies: arguments and results as MessagePack. User types bring `MSGPACK_DEFINE_MAP` of their own
/// (unknown keys are skipped, missing ones keep their default). Pure functions; any thread.
namespace mailroom::wire {

/// How deep arrays and maps may nest. With it a body cannot make the reader use more than a small
/// multiple of its own size (decode bombs): before anything is allocated, its elements are counted
/// and found to be there.
inline constexpr std::size_t max_depth = 64;

/// Bytes of the MessagePack value that begins here, all that it contains included; 0 if it is cut
/// short, nested deeper than `max_depth`, or no MessagePack.
std::size_t value_size(std::span<const std::byte> from) noexcept;

/// The library's tree of a value that `value_size` has found well formed. It refers to `value`.
msgpack::object_handle unpack_tree(std::span<const std::byte> value);

/// Reads one body from front to back. Scalars, strings and bytes are read in place; everything else
/// goes through msgpack-cxx. (In place because the library's object tree costs more than the rest
/// of a small call: see README.)
class cursor {
 public:
  /// `whole` may be null; given, large `bytes` share it.
  cursor(std::span<const std::byte> body, const frame* whole) noexcept
      : at_(body.data()), end_(body.data() + body.size()), whole_(whole) {}

  bool at_end() const noexcept { return at_ == end_; }

  /// The number of elements of the array that begins here, if one does.
  std::optional<std::uint32_t> array() noexcept;

  /// One value as it lies in the body, well formed.
  bool read_raw(std::span<const std::byte>& into) noexcept;

  /// Passes over `count` values.
  bool skip(std::size_t count) noexcept;

  /// False if the next value is no T; the cursor is of no further use then.
  template <class T>
  bool read(T& into) {
    if constexpr (std::same_as<T, bool>) {
      return read_bool(into);
    } else if constexpr (std::integral<T> && std::is_signed_v<T>) {
      std::int64_t wide = 0;
      return read_signed(wide) && narrow(wide, into);
    } else if constexpr (std::integral<T>) {
      std::uint64_t wide = 0;
      return read_unsigned(wide) && narrow(wide, into);
    } else if constexpr (std::floating_point<T>) {
      double wide = 0;
      if (!read_double(wide)) {
        return false;
      }
      into = static_cast<T>(wide);
      return true;
    } else if constexpr (std::same_as<T, std::string>) {
      std::span<const std::byte> text;
      if (!read_string(text)) {
        return false;
      }
      into.assign(reinterpret_cast<const char*>(text.data()), text.size());
      return true;
    } else if constexpr (std::same_as<T, bytes>) {
      return read_bytes(into);
    } else if constexpr (std::same_as<T, encoded>) {
      return read_encoded(into);
    } else {
      return read_other(into);
    }
  }

 private:
  template <class Wide, class Narrow>
  static bool narrow(Wide wide, Narrow& into) noexcept {
    into = static_cast<Narrow>(wide);
    return static_cast<Wide>(into) == wide;
  }

  bool read_bool(bool& into) noexcept;
  bool read_signed(std::int64_t& into) noexcept;
  bool read_unsigned(std::uint64_t& into) noexcept;
  bool read_double(double& into) noexcept;
  bool read_string(std::span<const std::byte>& text) noexcept;
  bool read_bytes(bytes& into);
  bool read_encoded(encoded& into);
  bytes shared_or_copied(std::span<const std::byte> part) const;
  bool take(std::size_t count, std::span<const std::byte>& into) noexcept;

  template <class T>
  bool read_other(T& into) {
    std::span<const std::byte> value;
    if (!read_raw(value)) {
      return false;
    }
    try {
      unpack_tree(value).get().convert(into);
      return true;
    } catch (const msgpack::type_error&) {
      return false;
    } catch (const msgpack::unpack_error&) {
      return false;
    }
  }

  const std::byte* at_;
  const std::byte* end_;
  const frame* whole_;
};

/// Appends one value.
template <class T>
void pack(buffer& into, const T& value) {
  msgpack::packer<buffer>(into).pack(value);
}

/// Appends an argument list: a MessagePack array.
template <class... Ts>
void pack_arguments(buffer& into, const Ts&... values) {
  msgpack::packer<buffer> packer(into);
  packer.pack_array(sizeof...(Ts));
  (packer.pack(values), ...);
}
inline void pack_arguments(buffer& into, const encoded_arguments& arguments) {
  into.append(arguments.array);
}

/// The one value of a body. `errc::bad_reply` if it is not a T, or not alone.
template <class T>
result<T> unpack(std::span<const std::byte> body, const frame* whole = nullptr) {
  cursor from(body, whole);
  T value{};
  if (!from.read(value) || !from.at_end()) {
    return error(errc::bad_reply, "the body cannot be read as the type asked for");
  }
  return value;
}

/// What a T is called in a body, for people.
template <class T>
std::string wanted() {
  if constexpr (std::same_as<T, bool>) {
    return "a boolean";
  } else if constexpr (std::integral<T>) {
    return "an integer from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
           std::to_string(std::numeric_limits<T>::max());
  } else if constexpr (std::floating_point<T>) {
    return "a number";
  } else if constexpr (std::same_as<T, std::string>) {
    return "a string";
  } else if constexpr (std::same_as<T, bytes>) {
    return "binary";
  } else if constexpr (requires { typename T::mapped_type; }) {
    return "a map";
  } else if constexpr (requires(T & list) { list.begin(); }) {
    return "an array of what the method takes";
  } else {
    return "a map of what the method takes";
  }
}

/// `errc::invalid_arguments` for an argument list in which the one at `position`, from 1, should be
/// what `wanted` says; tells what it is instead.
error wrong_argument(std::span<const std::byte> body,
                     std::size_t position,
                     const std::string& wanted);

/// An argument list. `errc::invalid_arguments` says what is wrong with it: the number, or which
/// one, and what it should be.
template <class... Ts>
result<std::tuple<Ts...>> unpack_arguments(std::span<const std::byte> body,
                                           const frame* whole = nullptr) {
  cursor from(body, whole);
  const auto count = from.array();
  if (!count) {
    return error(errc::invalid_arguments, "the arguments are not an array");
  }
  if (*count != sizeof...(Ts)) {
    return error(
        errc::invalid_arguments,
        "takes " + std::to_string(sizeof...(Ts)) + " arguments, got " + std::to_string(*count));
  }
  std::tuple<Ts...> values{};
  std::size_t bad = 0;
  const bool good =
      std::apply([&](auto&... value) { return ((++bad, from.read(value)) && ...); }, values);
  if (!good) {
    const std::array<std::string (*)(), sizeof...(Ts)> names{&wanted<Ts>...};
    return wrong_argument(body, bad, names[bad - 1]());
  }
  if (!from.at_end()) {
    return error(errc::invalid_arguments, "bytes after the arguments");
  }
  return values;
}

}  // namespace mailroom::wire

namespace msgpack {
MSGPACK_API_VERSION_NAMESPACE(MSGPACK_DEFAULT_API_NS) {
  namespace adaptor {

  template <>
  struct pack<mailroom::bytes> {
    template <class Stream>
    packer<Stream>& operator()(packer<Stream>& out, const mailroom::bytes& value) const {
      out.pack_bin(static_cast<std::uint32_t>(value.size()));
      out.pack_bin_body(reinterpret_cast<const char*>(value.data()),
                        static_cast<std::uint32_t>(value.size()));
      return out;
    }
  };

  template <>
  struct pack<mailroom::wire::encoded> {
    template <class Stream>
    packer<Stream>& operator()(packer<Stream>& out, const mailroom::wire::encoded& value) const {
      if (value.value.empty()) {
        return out.pack_nil();
      }
      // As it is: a "body" is what the packer writes without a head of its own.
      return out.pack_bin_body(reinterpret_cast<const char*>(value.value.data()),
                               static_cast<std::uint32_t>(value.value.size()));
    }
  };

  template <>
  struct convert<mailroom::bytes> {
    const msgpack::object& operator()(const msgpack::object& from, mailroom::bytes& into) const {
      if (from.type == type::BIN) {
        into = mailroom::bytes(std::as_bytes(std::span(from.via.bin.ptr, from.via.bin.size)));
      } else if (from.type == type::STR) {
        into = mailroom::bytes(std::as_bytes(std::span(from.via.str.ptr, from.via.str.size)));
      } else {
        throw type_error();
      }
      return from;
    }
  };

  }  // namespace adaptor
}
}  // namespace msgpack
