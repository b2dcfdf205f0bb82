#include <mailroom/framework/base/symbols.hpp>

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

namespace mailroom {
namespace {

std::string demangled(const char* symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(symbol, nullptr, nullptr, &status), &std::free);
  return status == 0 ? brief_function_name(name.get()) : symbol;
}

std::string offset_in(std::string_view file, std::uintptr_t offset) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), offset, 16);
  return std::string(file.substr(file.rfind('/') + 1)) + "+0x" +
         std::string(digits.data(), end.ptr);
}

/// Where the program itself was loaded. Asks the kernel, not the loader, whose lock the stuck
/// thread may hold.
class own_program {
 public:
  own_program() noexcept {
    const auto at = ::getauxval(AT_PHDR);
    const auto count = ::getauxval(AT_PHNUM);
    if (at == 0) {
      return;
    }
    const std::span heads(reinterpret_cast<const ElfW(Phdr)*>(at), count);
    for (const auto& each : heads) {
      if (each.p_type == PT_PHDR) {
        base_ = at - each.p_vaddr;
      }
    }
    for (const auto& each : heads) {
      if (each.p_type == PT_LOAD) {
        begin_ = std::min<std::uintptr_t>(begin_, base_ + each.p_vaddr);
        end_ = std::max<std::uintptr_t>(end_, base_ + each.p_vaddr + each.p_memsz);
      }
    }
  }

  bool holds(std::uintptr_t address) const noexcept { return begin_ <= address && address < end_; }
  std::uintptr_t base() const noexcept { return base_; }

 private:
  std::uintptr_t base_ = 0;
  std::uintptr_t begin_ = UINTPTR_MAX;
  std::uintptr_t end_ = 0;
};

/// The file of the program, mapped. It may be any file by now: nothing in it is believed.
class program_file {
 public:
  program_file() noexcept {
    const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat what {};
    if (file >= 0 && ::fstat(file, &what) == 0 && what.st_size > 0) {
      const auto size = static_cast<std::size_t>(what.st_size);
      void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
      if (mapped != MAP_FAILED) {
        all_ = {static_cast<const std::byte*>(mapped), size};
      }
    }
    if (file >= 0) {
      ::close(file);
    }
  }
  ~program_file() {
    if (!all_.empty()) {
      ::munmap(const_cast<std::byte*>(all_.data()), all_.size());
    }
  }
  program_file(const program_file&) = delete;
  program_file& operator=(const program_file&) = delete;

  /// Calls `see(symbol, name)` for each function.
  template <class See>
  void each_function(const See& see) const {
    const auto head = read<ElfW(Ehdr)>(0);
    if (!head || std::memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
        head->e_shentsize != sizeof(ElfW(Shdr))) {
      return;
    }
    const auto section = [&](std::size_t index) {
      return read<ElfW(Shdr)>(head->e_shoff + index * sizeof(ElfW(Shdr)));
    };
    for (std::size_t i = 0; i != head->e_shnum; ++i) {
      const auto table = section(i);
      if (!table || (table->sh_type != SHT_SYMTAB && table->sh_type != SHT_DYNSYM)) {
        continue;
      }
      const auto names = section(table->sh_link);
      if (!names) {
        continue;
      }
      for (std::size_t at = 0; at + sizeof(ElfW(Sym)) <= table->sh_size; at += sizeof(ElfW(Sym))) {
        const auto symbol = read<ElfW(Sym)>(table->sh_offset + at);
        if (!symbol) {
          break;
        }
        if ((symbol->st_info & 0xfU) != STT_FUNC || symbol->st_size == 0) {
          continue;
        }
        see(*symbol, [&] { return text(names->sh_offset + symbol->st_name); });
      }
    }
  }

 private:
  template <class T>
  std::optional<T> read(std::size_t at) const noexcept {
    if (at > all_.size() || all_.size() - at < sizeof(T)) {
      return std::nullopt;
    }
    T value;
    std::memcpy(&value, all_.data() + at, sizeof(T));
    return value;
  }
  std::string text(std::size_t at) const {
    if (at >= all_.size()) {
      return {};
    }
    const auto* const begin = reinterpret_cast<const char*>(all_.data() + at);
    return {begin, ::strnlen(begin, all_.size() - at)};
  }

  std::span<const std::byte> all_;
};

// Beyond the program: in a library, whose exported functions the loader knows.
std::string in_a_library(std::uintptr_t address) {
  Dl_info found{};
  if (::dladdr(reinterpret_cast<void*>(address), &found) == 0 || found.dli_fname == nullptr) {
    return offset_in("", address);
  }
  if (found.dli_sname != nullptr) {
    return demangled(found.dli_sname);
  }
  return offset_in(found.dli_fname, address - reinterpret_cast<std::uintptr_t>(found.dli_fbase));
}

bool ends_with_operator(std::string_view name) noexcept {
  return name.ends_with("operator") &&
         (name.size() == 8 || name[name.size() - 9] == ':' || name[name.size() - 9] == ' ');
}

}  // namespace

std::string brief_function_name(std::string_view demangled) {
  constexpr std::string_view unnamed = "(anonymous namespace)";
  std::string out;
  std::size_t word = 0;  // Where in `out` the name may begin: what is before is the return type.
  int nested = 0;        // In template arguments or parameters.
  for (std::size_t i = 0; i < demangled.size(); ++i) {
    const char c = demangled[i];
    if (nested == 0 && demangled.substr(i).starts_with(unnamed)) {
      out += unnamed;
      i += unnamed.size() - 1;
    } else if (nested == 0 && ends_with_operator(out) && (c == '(' || c == '<' || c == '>')) {
      // operator(), operator<< and the like.
      if (c == '(') {
        out += "()";
        ++i;
        continue;
      }
      for (; i < demangled.size() && std::string_view("<>=").find(demangled[i]) != demangled.npos;
           ++i) {
        out += demangled[i];
      }
      --i;
    } else if (c == '(' || c == '<') {
      ++nested;
    } else if (c == ')' || (c == '>' && nested > 0)) {
      nested -= nested > 0 ? 1 : 0;
    } else if (nested == 0 && c == '[') {
      break;  // " [clone .cold]"
    } else if (nested == 0 && c == ' ') {
      if (demangled.substr(i).starts_with(" const")) {
        i += 5;
      } else if (!demangled.substr(i).starts_with(" [") &&
                 !demangled.substr(i).starts_with(" <")) {  // operator<< <int>
        word = out.size();
      }
    } else if (nested == 0) {
      out += c;
    }
  }
  out.erase(0, word);
  return out.empty() ? std::string(demangled) : out;
}

std::vector<std::string> functions_at(std::span<void* const> stack) {
  std::vector<std::string> names(stack.size());
  std::vector<std::uintptr_t> addresses;
  for (void* const each : stack) {
    // A return address may be the next function's, when the call was the last thing to be done.
    addresses.push_back(reinterpret_cast<std::uintptr_t>(each) - (addresses.empty() ? 0 : 1));
  }
  const own_program here;
  if (std::any_of(addresses.begin(), addresses.end(), [&](auto at) { return here.holds(at); })) {
    program_file().each_function([&](const ElfW(Sym) & symbol, const auto& name) {
      const std::uintptr_t begin = here.base() + symbol.st_value;
      for (std::size_t i = 0; i != names.size(); ++i) {
        if (names[i].empty() && begin <= addresses[i] && addresses[i] - begin < symbol.st_size) {
          names[i] = demangled(name().c_str());
        }
      }
    });
  }
  for (std::size_t i = 0; i != names.size(); ++i) {
    if (!names[i].empty()) {
      continue;
    }
    names[i] = here.holds(addresses[i])
                   ? offset_in(program_invocation_short_name, addresses[i] - here.base())
                   : in_a_library(addresses[i]);
  }
  return names;
}

}  // namespace mailroom
