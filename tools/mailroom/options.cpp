#include <mailroom/tools/mailroom/options.hpp>

#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/executors/executor.hpp>

#include <vector>

namespace mailroom::cli {
namespace {

/// An option whose text `read` makes a value of; what it says about a bad one is the complaint.
template <class T, class Read>
CLI::Option* add_read(CLI::App& to,
                      const std::string& name,
                      T& value,
                      const std::string& help,
                      const std::string& shown,
                      const std::string& now,
                      Read read) {
  return to
      .add_option_function<std::string>(
          name,
          [name, &value, read](const std::string& text) {
            const auto parsed = read(text);
            if (!parsed) {
              throw CLI::ValidationError(name, std::string(parsed.error().message()));
            }
            value = static_cast<T>(*parsed);
          },
          help)
      ->type_name(shown)
      ->default_str(now);
}

}  // namespace

CLI::App* add_verb(CLI::App& to,
                   const std::string& name,
                   const std::string& description,
                   const std::string& example) {
  CLI::App* verb = to.add_subcommand(name, description);
  verb->footer("Example:\n  " + example);
  return verb;
}

CLI::Option* add_duration(CLI::App& to,
                          const std::string& name,
                          duration& value,
                          const std::string& help) {
  return add_read(
      to, name, value, help, "TIME", format_duration(value), [](const std::string& text) {
        return parse_duration(text);
      });
}

CLI::Option* add_size(CLI::App& to,
                      const std::string& name,
                      std::size_t& value,
                      const std::string& help) {
  return add_read(to, name, value, help, "SIZE", format_size(value), [](const std::string& text) {
    return parse_size(text);
  });
}

CLI::Option* add_executor(CLI::App& to,
                          const std::string& name,
                          std::string& value,
                          const std::string& help) {
  return add_read(
      to, name, value, help, "NAME", value, [](const std::string& text) -> result<std::string> {
        std::vector<std::string> known;
        std::string listed;
        for (const auto& each : executors::policies()) {
          known.emplace_back(each);
          listed += (listed.empty() ? "" : ", ") + known.back();
          if (text == each) {
            return text;
          }
        }
        const std::string meant = nearest(text, known);
        return error(errc::invalid_value,
                     "unknown executor '" + text + "'" +
                         (meant.empty() ? ", there are " + listed : ", nearest is " + meant));
      });
}

CLI::Option* add_connect(CLI::App& to, std::string& value) {
  return to.add_option("--connect", value, "Address of the node, as tcp://127.0.0.1:7001")
      ->required()
      ->check([](const std::string& address) {
        constexpr unsigned long most = 65'535;
        const std::string_view tcp = "tcp://";
        if (address.compare(0, tcp.size(), tcp) != 0) {
          return std::string();  // What else there is, the node knows.
        }
        const std::string port = address.substr(address.rfind(':') + 1);
        const bool number = !port.empty() && port.size() <= 5 &&
                            port.find_first_not_of("0123456789") == std::string::npos;
        return number && std::stoul(port) >= 1 && std::stoul(port) <= most
                   ? std::string()
                   : "'" + address + "' should read tcp://HOST:PORT, with a port from 1 to 65535";
      })
      ->type_name("ADDRESS");
}

CLI::Option* add_topic(CLI::App& to, std::string& value, const std::string& help) {
  return to.add_option("--topic", value, help)
      ->check([](const std::string& topic) {
        return topic.empty() ? std::string("a topic has a name") : std::string();
      })
      ->type_name("TOPIC");
}

CLI::Option* add_json(CLI::App& to, bool& value) {
  return to.add_flag("--json", value, "Print JSON");
}

void add_cpu(CLI::App& to, std::optional<unsigned>& value) {
  to.add_option("--cpu", value, "Keep to this CPU")->type_name("N");
}

}  // namespace mailroom::cli
