#include "common/from_sql/from_sql.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/from_sql/do_block.h"
#include "common/from_sql/enum_dance.h"
#include "common/from_sql/families.h"
#include "common/from_sql/read_scripts.h"
#include "common/from_sql/session.h"
#include "common/from_sql/settle.h"
#include "common/from_sql/text.h"
#include "common/plan/plan_reader.h"
#include "common/sql/parser.h"

namespace curlew::from_sql {
namespace {

using pg_query::Node;

void ConvertNode(const Node& node, Sink* sink);

// A block that only wraps statements stands for these.
void DoBlock(const Node& node, Sink* sink) {
  const auto block = ReadPlainBlock(node.do_stmt());
  if (!block.has_value()) {
    sink->Sql(PathPrefix(sink->known()) + std::string(sink->text()), {},
              "what a DO block reaches, the text does not tell")
        .reaches_all = true;
    return;
  }
  for (const std::string& text : block->statements) {
    const auto tree = sql::Parse(text);
    Sink inner = sink->Within(text, block->passes_over_duplicates);
    ConvertNode(tree->stmts(0).stmt(), &inner);
    for (const std::string& why : inner.left_out()) sink->LeaveOut(why);
  }
}

void ConvertNode(const Node& node, Sink* sink) {
  switch (node.node_case()) {
    case Node::kAlterTableStmt:
      return AlterTable(node, sink);
    case Node::kCreateStmt:
      return CreateTable(node, sink);
    case Node::kIndexStmt:
      return CreateIndex(node, sink);
    case Node::kRenameStmt:
      return Rename(node, sink);
    case Node::kDropStmt:
      return Drop(node, sink);
    case Node::kViewStmt:
      return CreateView(node, sink);
    case Node::kCreateTableAsStmt:
      return CreateTableAs(node, sink);
    case Node::kCreateFunctionStmt:
      return CreateFunction(node, sink);
    case Node::kCreateTrigStmt:
      return CreateTrigger(node, sink);
    case Node::kCreateEnumStmt:
      return CreateEnum(node, sink);
    case Node::kAlterEnumStmt:
      return AlterEnum(node, sink);
    case Node::kCreateDomainStmt:
      return CreateDomain(node, sink);
    case Node::kAlterDomainStmt:
      return AlterDomain(node, sink);
    case Node::kCreateSeqStmt:
      return CreateSequence(node, sink);
    case Node::kAlterSeqStmt:
      return AlterSequence(node, sink);
    case Node::kCreateExtensionStmt:
      return CreateExtension(node, sink);
    case Node::kCreateStatsStmt:
      return CreateStatistics(node, sink);
    case Node::kCommentStmt:
      return Comment(node, sink);
    case Node::kGrantStmt:
      return Grant(node, sink);
    case Node::kCreatePolicyStmt:
      return CreatePolicy(node, sink);
    case Node::kUpdateStmt:
      return Update(node, sink);
    case Node::kDeleteStmt:
      return Delete(node, sink);
    case Node::kInsertStmt:
    case Node::kMergeStmt:
    case Node::kTruncateStmt:
      return OtherData(node, sink);
    case Node::kSelectStmt:
      return Select(node, sink);
    case Node::kDoStmt:
      return DoBlock(node, sink);
    default:
      return Other(node, sink);
  }
}

std::string FirstLine(absl::string_view text) {
  const absl::string_view line = text.substr(0, text.find('\n'));
  constexpr size_t kLongest = 90;
  if (line.size() <= kLongest && line.size() == text.size()) return std::string(line);
  size_t size = std::min(line.size(), kLongest);
  while (size > 0 && size < line.size() && (line[size] & 0xC0) == 0x80) --size;
  return absl::StrCat(absl::StripTrailingAsciiWhitespace(line.substr(0, size)), " ...");
}

std::string LineOf(const Statement& statement) { return absl::StrCat(statement.file, ":", statement.line); }

absl::Status At(const Statement& statement, const absl::Status& status) {
  return absl::InvalidArgumentError(
      absl::StrCat(LineOf(statement), ":", statement.column, ": ", status.message()));
}

// A plan's name from a file's: what is neither letter nor digit becomes a dash.
std::string NameFrom(const std::string& file) {
  std::string base = file.substr(file.find_last_of('/') + 1);
  base = base.substr(0, base.rfind('.'));
  std::string name;
  for (char c : base) {
    if (absl::ascii_isalnum(c)) {
      name.push_back(absl::ascii_tolower(c));
    } else if (!name.empty() && name.back() != '-') {
      name.push_back('-');
    }
  }
  name.resize(std::min<size_t>(name.size(), 63));
  while (!name.empty() && name.back() == '-') name.pop_back();
  return name.empty() ? "from-sql" : name;
}

Origin OriginOf(int piece, const std::vector<Piece>& pieces, const std::vector<Statement>& statements) {
  Origin origin;
  const Statement& own = statements[pieces[piece].statement];
  std::vector<std::string> places = {LineOf(own)};
  for (const Piece& other : pieces) {
    if (other.merged_into != piece) continue;
    const std::string place = LineOf(statements[other.statement]);
    if (std::count(places.begin(), places.end(), place) == 0) places.push_back(place);
  }
  std::sort(places.begin() + 1, places.end());
  origin.place = absl::StrJoin(places, ", ");
  origin.statement = FirstLine(own.text);
  origin.why = pieces[piece].why;
  origin.notes = pieces[piece].notes;
  return origin;
}

// Statements that became operations, of those that have a part in the plan.
void Count(const std::vector<Piece>& pieces, Conversion* conversion) {
  std::map<int, bool> statements;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const Piece& piece = pieces[i];
    const Piece* said_by = &piece;
    for (int hops = 0; said_by->merged_into.value_or(-1) >= 0 && hops < 10; ++hops) {
      said_by = &pieces[*said_by->merged_into];
    }
    if (piece.extra && !piece.completes) continue;
    bool& whole = statements.emplace(piece.statement, true).first->second;
    if (!said_by->is_operation() && !said_by->completes && said_by->merged_into != -1) whole = false;
  }
  conversion->statements = static_cast<int>(statements.size());
  for (const auto& [statement, whole] : statements) conversion->became_operations += whole;
}

}  // namespace

absl::StatusOr<Conversion> Convert(const std::vector<Script>& scripts, const Options& options) {
  ASSIGN_OR_RETURN(const std::vector<Statement> statements, ReadScripts(scripts));
  Conversion conversion;
  conversion.knew_database = options.schema != nullptr;
  Known known(options.schema);
  std::vector<Piece> pieces;
  std::vector<std::string> errors;
  for (size_t i = 0; i < statements.size(); ++i) {
    const Statement& statement = statements[i];
    if (i > 0 && statement.file != statements[i - 1].file) known.SetSearchPath({"public"});
    Sink sink(static_cast<int>(i), statement.text, &known, &pieces);
    const absl::StatusOr<bool> is_session = ReadSession(statement.tree, &sink);
    if (!is_session.ok()) {
      errors.push_back(std::string(At(statement, is_session.status()).message()));
    } else if (statement.in_one_session) {
      sink.Sql(PathPrefix(known) + statement.text, statement.Touches(known),
               "a temporary table lives in one session")
          .data_only = statement.changes_rows_only;
    } else if (!*is_session) {
      ConvertNode(statement.tree, &sink);
    }
    for (const std::string& why : sink.left_out()) {
      conversion.left_out.push_back(
          absl::StrCat(LineOf(statement), ": ", FirstLine(statement.text), ": ", why));
    }
  }
  if (!errors.empty()) return absl::InvalidArgumentError(absl::StrJoin(errors, "\n"));
  ReadEnumDances(options.schema, &pieces);
  int blamed = -1;
  const absl::StatusOr<Settled> settled = Settle(&pieces, options.schema, &blamed);
  if (!settled.ok()) {
    return blamed < 0 ? settled.status() : At(statements[pieces[blamed].statement], settled.status());
  }
  if (settled->operations.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        scripts.empty() ? "no file" : scripts[0].file,
        ": nothing in it changes the database, so that there is no plan to make",
        conversion.left_out.empty() ? ""
                                    : absl::StrCat(":\n  ", absl::StrJoin(conversion.left_out, "\n  "))));
  }
  conversion.plan.set_name(options.name.empty() ? NameFrom(scripts[0].file) : options.name);
  conversion.plan.mutable_operations()->Assign(settled->operations.begin(), settled->operations.end());
  for (const auto& [hazard, with] : settled->hazards) {
    conversion.plan.mutable_settings()->add_acknowledge(hazard);
    std::vector<int>& operations = conversion.hazards[hazard];
    for (size_t i = 0; i < settled->pieces.size(); ++i) {
      if (std::count(with.begin(), with.end(), settled->pieces[i]) > 0)
        operations.push_back(static_cast<int>(i));
    }
  }
  for (int piece : settled->pieces) conversion.origins.push_back(OriginOf(piece, pieces, statements));
  Count(pieces, &conversion);
  const absl::Status valid = plan::Validate(conversion.plan);
  if (!valid.ok()) return valid;
  return conversion;
}

std::string OperationFor(absl::string_view statement) {
  const auto conversion = Convert({{"statement", std::string(statement)}}, {.name = "statement"});
  if (!conversion.ok() || conversion->became_operations != conversion->statements) return "";
  v1::Plan plan;
  *plan.mutable_operations() = conversion->plan.operations();
  std::string yaml = plan::ToYaml(plan), list;
  // The list alone, without its key and two columns to the left.
  for (absl::string_view line : absl::StrSplit(yaml, '\n')) {
    if (absl::StartsWith(line, "operations:") || line.empty()) continue;
    absl::StrAppend(&list, absl::StartsWith(line, "  ") ? line.substr(2) : line, "\n");
  }
  return list;
}

}  // namespace curlew::from_sql
