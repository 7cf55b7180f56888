// Names of the harness's tables, columns and other objects, in spellings that are hard on a tool.
#ifndef CURLEW_TESTS_HARNESS_NAMES_H_
#define CURLEW_TESTS_HARNESS_NAMES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace curlew::testing {

// How the names of a case are spelt.
enum class Spelling {
  kPlain,     // o, in public
  kSchema,    // o, in "Other Schema"
  kQuotes,    // Weird"o's
  kUpper,     // O_Name
  kSpaces,    // the o of it
  kUnicode,   // größe_o_表
  kLong,      // 63 bytes
  kReserved,  // select, table, order
};
const std::vector<Spelling>& AllSpellings();
std::string SpellingName(Spelling spelling);

// Fills the templates of a case. A token is a name in braces; each token of a case gets a name of its own:
//   {o}     the name as an SQL identifier, quoted where it has to be
//   {s.o}   the same, qualified by the case's schema
//   {=o}    the bare name, for fields of a plan that take names "not quoted"
//   {'o}    the bare name as an SQL string literal; {'s.o} the qualified name as one, for regclass
//   {twin}  the twin table; {role}  the clients' role, as an identifier; {=role}  bare
//   {r}     a number that is never given twice, where there is one
// Thread-safe.
class Names {
 public:
  Names(Spelling spelling, std::string role);
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;

  // The bare name for a token.
  std::string Of(absl::string_view token) const;
  // `text` with its tokens replaced, as SQL. A token that is malformed stays, for the server to refuse.
  std::string Sql(absl::string_view text, std::optional<int64_t> number = std::nullopt) const;
  // The same inside single-quoted scalars of YAML: quotes in what is put in are doubled.
  std::string Yaml(absl::string_view text) const;

  Spelling spelling() const { return spelling_; }

 private:
  std::string Spell(absl::string_view token) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string Schema() const;
  std::optional<std::string> Replacement(absl::string_view token, std::optional<int64_t> number) const;

  const Spelling spelling_;
  const std::string role_;
  mutable absl::Mutex mutex_;
  mutable std::map<std::string, std::string, std::less<>> names_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_HARNESS_NAMES_H_
