#include "common/sql/type_name.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/sql/expression.h"
#include "common/sql/identifier.h"
#include "common/sql/parser.h"

namespace curlew::sql {
namespace {

// A type, its name as in pg_type.
struct Type {
  std::string schema;  // "pg_catalog" for PostgreSQL's own; "" where a user's type has none
  std::string name;
  std::vector<int> modifiers;
  bool plain_modifiers = true;  // whether they are numbers
  bool array = false;

  bool IsBuiltIn() const { return schema == "pg_catalog"; }
};

// The types of pg_catalog. The server looks there first, so that a name without a schema means one of them.
const std::set<absl::string_view>& CatalogueTypes() {
  static const auto* const names = [] {
    const std::vector<absl::string_view> words = absl::StrSplit(
        "aclitem any anyarray anycompatible anycompatiblearray anycompatiblemultirange "
        "anycompatiblenonarray anycompatiblerange anyelement anyenum anymultirange anynonarray "
        "anyrange bit bool box bpchar bytea char cid cidr circle cstring date datemultirange "
        "daterange event_trigger fdw_handler float4 float8 gtsvector index_am_handler inet int2 "
        "int2vector int4 int4multirange int4range int8 int8multirange int8range internal interval "
        "json jsonb jsonpath language_handler line lseg macaddr macaddr8 money name numeric "
        "nummultirange numrange oid oidvector path pg_ddl_command pg_lsn pg_node_tree pg_snapshot "
        "point polygon record refcursor regclass regcollation regconfig regdictionary regnamespace "
        "regoper regoperator regproc regprocedure regrole regtype table_am_handler text tid time "
        "timestamp timestamptz timetz trigger tsm_handler tsmultirange tsquery tsrange "
        "tstzmultirange tstzrange tsvector txid_snapshot unknown uuid varbit varchar void xid xid8 "
        "xml",
        ' ');
    return new std::set<absl::string_view>(words.begin(), words.end());
  }();
  return *names;
}

// What stands before and after the modifiers of types that have names of the SQL standard.
struct Spelling {
  absl::string_view before;
  absl::string_view after;
};

const std::map<absl::string_view, Spelling>& Spellings() {
  static const auto* const spellings = new std::map<absl::string_view, Spelling>{
      {"bool", {"boolean", ""}},
      {"float4", {"real", ""}},
      {"float8", {"double precision", ""}},
      {"int2", {"smallint", ""}},
      {"int4", {"integer", ""}},
      {"int8", {"bigint", ""}},
      {"numeric", {"numeric", ""}},
      {"time", {"time", " without time zone"}},
      {"timestamp", {"timestamp", " without time zone"}},
      {"timestamptz", {"timestamp", " with time zone"}},
      {"timetz", {"time", " with time zone"}},
      {"varbit", {"bit varying", ""}},
      {"varchar", {"character varying", ""}},
  };
  return *spellings;
}

constexpr int kFullRange = 0x7FFF;
constexpr int kMostFraction = 6;

// The fields of an interval by PostgreSQL's mask (INTERVAL_MASK of datetime.h).
const std::map<int, absl::string_view>& IntervalFields() {
  constexpr int kMonth = 1 << 1, kYear = 1 << 2, kDay = 1 << 3, kHour = 1 << 10, kMinute = 1 << 11,
                kSecond = 1 << 12;
  static const auto* const fields = new std::map<int, absl::string_view>{
      {kFullRange, ""},
      {kYear, " year"},
      {kMonth, " month"},
      {kDay, " day"},
      {kHour, " hour"},
      {kMinute, " minute"},
      {kSecond, " second"},
      {kYear | kMonth, " year to month"},
      {kDay | kHour, " day to hour"},
      {kDay | kHour | kMinute, " day to minute"},
      {kDay | kHour | kMinute | kSecond, " day to second"},
      {kHour | kMinute, " hour to minute"},
      {kHour | kMinute | kSecond, " hour to second"},
      {kMinute | kSecond, " minute to second"},
  };
  return *fields;
}

bool HasFraction(absl::string_view name) {
  return name == "time" || name == "timetz" || name == "timestamp" || name == "timestamptz";
}

// nullopt for a name with a database in front.
std::optional<Type> ReadType(const pg_query::TypeName& node) {
  if (node.names_size() < 1 || node.names_size() > 2) return std::nullopt;
  Type type;
  type.name = node.names(node.names_size() - 1).string().sval();
  if (node.names_size() == 2) type.schema = node.names(0).string().sval();
  type.array = node.array_bounds_size() > 0;
  const bool bare = type.schema.empty() || type.IsBuiltIn();
  if (bare && type.name.size() > 1 && type.name[0] == '_' &&
      CatalogueTypes().count(absl::string_view(type.name).substr(1)) > 0) {
    type.name.erase(0, 1);
    type.array = true;
  }
  if (bare && CatalogueTypes().count(type.name) > 0) type.schema = "pg_catalog";
  for (const pg_query::Node& modifier : node.typmods()) {
    if (!modifier.a_const().has_ival()) type.plain_modifiers = false;
    type.modifiers.push_back(modifier.a_const().ival().ival());
  }
  if (!type.IsBuiltIn() || !type.plain_modifiers) return type;
  // As the server keeps them.
  if (type.name == "numeric" && type.modifiers.size() == 1) type.modifiers.push_back(0);
  if (HasFraction(type.name) && !type.modifiers.empty()) {
    type.modifiers[0] = std::min(type.modifiers[0], kMostFraction);
  }
  if (type.name == "interval") {
    if (type.modifiers.empty()) type.modifiers = {kFullRange};
    if (type.modifiers.size() > 1) type.modifiers[1] = std::min(type.modifiers[1], kMostFraction);
  }
  return type;
}

absl::StatusOr<pg_query::TypeName> ParseTypeName(absl::string_view text) {
  const auto tree = Parse(absl::StrCat("ALTER TABLE t ADD COLUMN c ", text));
  if (tree.ok() && tree->stmts_size() == 1 && tree->stmts(0).stmt().alter_table_stmt().cmds_size() == 1) {
    const pg_query::TypeName& type =
        tree->stmts(0).stmt().alter_table_stmt().cmds(0).alter_table_cmd().def().column_def().type_name();
    static const auto* const serial = new std::set<absl::string_view>{"serial",  "serial2",   "serial4",
                                                                      "serial8", "bigserial", "smallserial"};
    if (type.names_size() == 1 && serial->count(type.names(0).string().sval()) > 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", text,
                       "\" is not a type but a default with a sequence of its own; write bigint and "
                       "`identity: by_default`"));
    }
    RETURN_IF_ERROR(CheckType(text));
    return type;
  }
  RETURN_IF_ERROR(CheckType(text));
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not a type"));
}

std::string PrintBuiltIn(const Type& type) {
  if (type.name == "interval") {
    const auto fields = IntervalFields().find(type.modifiers[0]);
    std::string out = absl::StrCat("interval", fields == IntervalFields().end() ? "" : fields->second);
    if (type.modifiers.size() > 1) absl::StrAppend(&out, "(", type.modifiers[1], ")");
    return out;
  }
  std::string modifiers;
  if (!type.modifiers.empty()) modifiers = absl::StrCat("(", absl::StrJoin(type.modifiers, ","), ")");
  // Without a length, bpchar is not the standard's character, which is character(1); nor is bit.
  if (type.name == "bpchar" && !modifiers.empty()) return absl::StrCat("character", modifiers);
  if (type.name == "bit" && !modifiers.empty()) return absl::StrCat("bit", modifiers);
  const auto spelling = Spellings().find(type.name);
  if (spelling == Spellings().end()) return absl::StrCat(Ident(type.name), modifiers);
  return absl::StrCat(spelling->second.before, modifiers, spelling->second.after);
}

// What stands in parentheses after a user's type, with them.
std::string ModifiersAsWritten(absl::string_view text) {
  const auto tokens = Scan(text);
  if (!tokens.ok()) return "";
  int start = -1, end = -1;
  for (const Token& token : *tokens) {
    const absl::string_view word = text.substr(token.start, token.end - token.start);
    if (word == "(" && start < 0) start = token.start;
    if (word == ")") end = token.end;
  }
  return start < 0 || end < start ? "" : std::string(text.substr(start, end - start));
}

std::optional<Type> ReadTypeText(absl::string_view text) {
  const auto parsed = ParseTypeName(text);
  return parsed.ok() ? ReadType(*parsed) : std::nullopt;
}

// Whether a limit may become another one without a look at the values. No limit is an empty list.
bool Widens(const std::vector<int>& from, const std::vector<int>& to) {
  return to.empty() || (!from.empty() && to[0] >= from[0]);
}

bool IntervalWidens(const std::vector<int>& from, const std::vector<int>& to) {
  if (to[0] != kFullRange && to[0] != from[0]) return false;
  const int fraction = from.size() > 1 ? from[1] : kMostFraction;
  return to.size() < 2 || to[1] >= fraction;
}

bool IsCatalogueOnly(const Type& from, const Type& to) {
  if (!from.IsBuiltIn() || !to.IsBuiltIn() || from.array || to.array) return false;
  if (from.name == "varchar" && to.name == "varchar") return Widens(from.modifiers, to.modifiers);
  if (from.name == "varchar" && to.name == "text") return true;
  if (from.name == "text" && to.name == "varchar") return to.modifiers.empty();
  if (from.name == "varbit" && to.name == "varbit") return Widens(from.modifiers, to.modifiers);
  if (from.name == "cidr" && to.name == "inet") return true;
  if (from.name != to.name) return false;
  if (from.name == "numeric") {
    return to.modifiers.empty() || (!from.modifiers.empty() && to.modifiers[0] >= from.modifiers[0] &&
                                    to.modifiers[1] == from.modifiers[1]);
  }
  if (HasFraction(from.name)) {
    return Widens(from.modifiers, to.modifiers) || to.modifiers[0] == kMostFraction;
  }
  return from.name == "interval" && IntervalWidens(from.modifiers, to.modifiers);
}

}  // namespace

absl::StatusOr<std::string> CanonicalType(absl::string_view text) {
  ASSIGN_OR_RETURN(const pg_query::TypeName node, ParseTypeName(text));
  const std::optional<Type> type = ReadType(node);
  if (!type.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" has more than two parts; write type or schema.type"));
  }
  const absl::string_view brackets = type->array ? "[]" : "";
  if (type->IsBuiltIn() && type->plain_modifiers) return absl::StrCat(PrintBuiltIn(*type), brackets);
  const std::string name =
      type->schema.empty() ? Ident(type->name) : absl::StrCat(Ident(type->schema), ".", Ident(type->name));
  return absl::StrCat(name, ModifiersAsWritten(text), brackets);
}

std::string ArgumentType(const pg_query::TypeName& node) {
  std::optional<Type> type = ReadType(node);
  if (!type.has_value()) return "";
  const absl::string_view brackets = type->array ? "[]" : "";
  type->modifiers.clear();
  if (type->name == "interval") type->modifiers = {kFullRange};
  // A bare "character" is read with the length 1: to_regprocedure drops lengths, but not the name of the
  // type.
  if (type->IsBuiltIn() && type->name == "bpchar") return absl::StrCat("character", brackets);
  if (type->IsBuiltIn() && type->name == "bit") return absl::StrCat("bit", brackets);
  if (type->IsBuiltIn()) return absl::StrCat(PrintBuiltIn(*type), brackets);
  return absl::StrCat(TableName{type->schema.empty() ? "public" : type->schema, type->name}.Quoted(),
                      brackets);
}

std::string ArgumentTypeOfIdentity(const pg_query::TypeName& node) {
  const std::optional<Type> type = ReadType(node);
  const std::string text = ArgumentType(node);
  if (!type.has_value() || !type->IsBuiltIn()) return text;
  const bool standard = Spellings().count(type->name) > 0 || type->name == "bpchar" || type->name == "bit" ||
                        type->name == "interval";
  return standard ? text : absl::StrCat("pg_catalog.", text);
}

std::string TypeInOneSpelling(const pg_query::TypeName& node) {
  const std::optional<Type> type = ReadType(node);
  if (!type.has_value()) return node.ShortDebugString();
  const absl::string_view brackets = type->array ? "[]" : "";
  if (type->IsBuiltIn() && type->plain_modifiers) return absl::StrCat(PrintBuiltIn(*type), brackets);
  std::string modifiers;
  for (const pg_query::Node& modifier : node.typmods()) {
    absl::StrAppend(&modifiers, "(", modifier.ShortDebugString(), ")");
  }
  const bool bare = type->schema.empty() || type->schema == "public";
  return absl::StrCat(bare ? "" : Ident(type->schema) + ".", Ident(type->name), modifiers, brackets);
}

TypeChange ClassifyTypeChange(absl::string_view from, absl::string_view to) {
  const auto a = CanonicalType(from), b = CanonicalType(to);
  if (!a.ok() || !b.ok()) return TypeChange::kRewrite;
  if (*a == *b) return TypeChange::kSame;
  const auto old_type = ReadTypeText(*a), new_type = ReadTypeText(*b);
  if (!old_type.has_value() || !new_type.has_value()) return TypeChange::kRewrite;
  return IsCatalogueOnly(*old_type, *new_type) ? TypeChange::kCatalogueOnly : TypeChange::kRewrite;
}

}  // namespace curlew::sql
