#include "common/sql/script.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/utf8.h"
#include "common/sql/lexer.h"
#include "common/sql/newer_syntax.h"
#include "common/sql/parse_problem.h"
#include "common/sql/psql.h"
#include "common/sql/script_piece.h"

namespace curlew::sql {
namespace {

using ErrorKind = ScriptError::Kind;

class Reader {
 public:
  Reader(absl::string_view text, const ScriptVisitor& visitor)
      : text_(text), visitor_(visitor), rescans_(4 * text.size() + (1 << 20)) {}

  void Read() {
    while (const auto token = NextToken()) {
      if (data_pending_ && PassData(token->begin)) continue;
      if (token->kind == Lexeme::Kind::kSemicolon) {
        at_ = token->end;
      } else if (token->kind == Lexeme::Kind::kComment && token->closed) {
        Comment(*token);
        at_ = token->end;
      } else if (token->kind == Lexeme::Kind::kBackslash) {
        const PsqlCommand command = ReadPsqlCommand(text_, token->begin);
        if (!command.separates) Command(token->begin, command);
        at_ = command.end;
      } else {
        Piece(TakePiece(text_, token->begin));
      }
    }
    if (data_pending_) PassData(text_.size());
  }

 private:
  std::optional<Lexeme> NextToken() const {
    if (at_ >= text_.size()) return std::nullopt;
    return Lexer(text_, at_).Next();
  }

  absl::string_view Cut(size_t begin, size_t end) const {
    return absl::StripTrailingAsciiWhitespace(text_.substr(begin, end - begin));
  }

  // Places are asked for in their order, but for a few, which count as looked at again.
  Place At(size_t offset) {
    if (offset >= place_.offset) return place_ = PlaceAt(text_, offset, place_);
    const size_t line = text_.rfind('\n', offset == 0 ? 0 : offset - 1);
    const size_t begin = line == absl::string_view::npos ? 0 : line + 1;
    const auto lines = std::count(text_.begin() + static_cast<long>(offset),
                                  text_.begin() + static_cast<long>(place_.offset), '\n');
    Spend(place_.offset - begin);
    return PlaceAt(text_, offset,
                   {.offset = begin, .line = place_.line - static_cast<int>(lines), .column = 1});
  }

  void Error(ErrorKind kind, std::string message, size_t at, absl::string_view piece) {
    if (!visitor_.error) return;
    ScriptError error{.kind = kind, .message = std::move(message), .text = piece};
    error.begin = At(piece.empty() ? at : static_cast<size_t>(piece.data() - text_.data()));
    error.place = At(at);
    visitor_.error(error);
  }

  void Comment(const Lexeme& token) {
    if (token.begin < comments_until_) return;
    comments_until_ = token.end;
    if (!visitor_.comment) return;
    ScriptComment comment;
    comment.text = absl::StripTrailingAsciiWhitespace(text_.substr(token.begin, token.end - token.begin));
    comment.place = At(token.begin);
    comment.end_line =
        comment.place.line + static_cast<int>(std::count(comment.text.begin(), comment.text.end(), '\n'));
    size_t before = token.begin;
    while (before > 0 && text_[before - 1] != '\n' &&
           absl::ascii_isspace(static_cast<unsigned char>(text_[before - 1])))
      --before;
    comment.after_code = before > 0 && text_[before - 1] != '\n';
    visitor_.comment(comment);
  }

  void Command(size_t at, const PsqlCommand& command) {
    Error(command.harmless ? ErrorKind::kPsqlDisplay : ErrorKind::kPsql, command.message, at,
          Cut(at, command.end));
    data_pending_ |= command.data_follows;
  }

  // Whether the data of COPY begin before byte `next`; then they are passed over.
  bool PassData(size_t next) {
    const size_t line_end = text_.find('\n', at_);
    if (line_end != absl::string_view::npos && line_end >= next) return false;
    data_pending_ = false;
    for (size_t mark = line_end; mark != absl::string_view::npos; mark = text_.find("\n\\.", mark + 1)) {
      if (text_.substr(mark + 1, 2) != "\\.") continue;
      const size_t end = std::min(text_.find('\n', mark + 1), text_.size());
      if (absl::StripTrailingAsciiWhitespace(text_.substr(mark + 1, end - mark - 1)) != "\\.") continue;
      at_ = end;
      return true;
    }
    if (line_end != absl::string_view::npos && line_end + 1 < text_.size()) {
      Error(ErrorKind::kSyntax,
            "the data of COPY begin here and have no end: write a line of \\. behind them, or no FROM STDIN; "
            "what follows is taken for data",
            line_end + 1, "");
    }
    at_ = text_.size();
    return true;
  }

  // Whether `bytes` may be looked at once more: else a broken text would take time in its square.
  bool Spend(size_t bytes) {
    rescans_ -= std::min(rescans_, bytes);
    return rescans_ > 0;
  }

  // Goes on at byte `next` of a piece that is not read.
  void GoOn(const ScriptPiece& piece, size_t next) {
    for (const Lexeme& comment : piece.comments) {
      if (comment.begin < next) Comment(comment);
    }
    at_ = std::max(next, piece.begin + 1);
    if (piece.scanned > at_ && !Spend(piece.scanned - at_)) {
      Error(ErrorKind::kSyntax, "too much is wrong before this place: what follows is not read", at_, "");
      at_ = text_.size();
    }
  }

  void Piece(const ScriptPiece& piece) {
    if (piece.open.has_value()) return Open(piece);
    if (piece.end == piece.begin) return Commands(piece, piece.next);
    std::optional<ParseProblem> problem = TooBig(piece.size);
    if (problem.has_value() && piece.first_semicolon != absl::string_view::npos) return Shorten(piece);
    ScriptStatement statement;
    pg_query::ParseResult tree;
    if (!problem.has_value()) problem = ParseUnchecked(Sql(piece), &tree);
    if (problem.has_value()) return Broken(piece, *problem);
    if (tree.stmts_size() > 1) {
      // The parser finds an end where psql finds none.
      ScriptPiece first = piece;
      first.next =
          piece.begin + static_cast<size_t>(tree.stmts(0).stmt_location() + tree.stmts(0).stmt_len());
      first.end = first.begin + Cut(first.begin, first.next).size();
      if (ParseUnchecked(Sql(first), &tree).has_value()) tree.Clear();
      return Deliver(first, std::move(tree));
    }
    Deliver(piece, std::move(tree));
  }

  // Commands of psql are no SQL: spaces stand for them.
  std::string Sql(const ScriptPiece& piece) const {
    std::string sql(text_.substr(piece.begin, piece.end - piece.begin));
    for (const auto& [at, command] : piece.commands) {
      if (at >= piece.end) break;
      std::fill(sql.begin() + static_cast<long>(at - piece.begin),
                sql.begin() + static_cast<long>(std::min(command.end, piece.end) - piece.begin), ' ');
    }
    return sql;
  }

  void Commands(const ScriptPiece& piece, size_t until) {
    for (const auto& [at, command] : piece.commands) {
      if (at < until) Command(at, command);
    }
    at_ = piece.next;
  }

  void Deliver(const ScriptPiece& piece, pg_query::ParseResult tree) {
    for (const Lexeme& comment : piece.comments) {
      if (comment.begin < piece.next) Comment(comment);
    }
    ScriptStatement statement;
    statement.text = text_.substr(piece.begin, piece.end - piece.begin);
    statement.place = At(piece.begin);
    if (tree.stmts_size() > 0) statement.tree = std::move(*tree.mutable_stmts(0)->mutable_stmt());
    const pg_query::CopyStmt& copy = statement.tree.copy_stmt();
    data_pending_ |= copy.is_from() && copy.filename().empty() && !copy.is_program();
    if (visitor_.statement && statement.tree.node_case() != pg_query::Node::NODE_NOT_SET)
      visitor_.statement(statement);
    Commands(piece, piece.next);
    if (piece.scanned > piece.next) GoOn(piece, piece.next);
  }

  void Open(const ScriptPiece& piece) {
    using Kind = Lexeme::Kind;
    // Behind a quote without its pair, strings begin where they should end.
    const Lexeme& open = piece.swallowing.has_value() ? *piece.swallowing : *piece.open;
    const absl::string_view what = open.kind == Kind::kComment        ? "comment"
                                   : open.kind == Kind::kDollarString ? "dollar-quoted text"
                                   : open.kind == Kind::kName         ? "quoted name"
                                                                      : "string";
    const size_t next = BehindSemicolonLine(text_, open.begin, text_.size());
    Error(ErrorKind::kSyntax,
          absl::StrCat(
              "the ", what, " that begins here has no end; close it",
              next < text_.size() ? ". Reading goes on behind the next semicolon at a line's end" : ""),
          open.begin, Cut(piece.begin, next));
    GoOn(piece, next);
  }

  // A statement that is so long because a parenthesis is not closed.
  void Shorten(const ScriptPiece& piece) {
    ScriptPiece head = piece;
    head.end = head.next = piece.first_semicolon;
    head.size = Size();
    Lexer lexer(text_, piece.begin);
    for (auto token = lexer.Next(); token.has_value() && token->begin < head.end; token = lexer.Next())
      head.size.Add(*token, text_);
    pg_query::ParseResult tree;
    auto problem = TooBig(head.size);
    if (!problem.has_value()) problem = ParseUnchecked(Sql(head), &tree);
    if (!problem.has_value()) problem = TooBig(piece.size);
    Broken(head, *problem);
  }

  void Broken(const ScriptPiece& piece, const ParseProblem& problem) {
    const size_t at = std::min(
        problem.offset < 0 ? piece.begin : piece.begin + static_cast<size_t>(problem.offset), piece.end);
    if (problem.kind == ParseProblem::Kind::kTooLong) {
      Error(ErrorKind::kTooLong, problem.message, at, Cut(piece.begin, piece.end));
      return GoOn(piece, piece.next);
    }
    const auto [next, swallowing] = Recover(text_, piece, at);
    const absl::string_view whole = Cut(piece.begin, std::min(next, piece.end));
    if (const absl::string_view variable = PsqlVariableAt(text_, at); !variable.empty()) {
      Error(ErrorKind::kPsql,
            absl::StrCat(
                variable,
                " is a variable of psql, so the statement is not known before it runs; write its value"),
            at, whole);
    } else if (const std::string newer =
                   NewerSyntaxAt(text_.substr(piece.begin, piece.end - piece.begin), at - piece.begin);
               !newer.empty()) {
      Error(ErrorKind::kNewerSyntax,
            absl::StrCat(problem.message,
                         "; this seems to be newer than PostgreSQL 15, whose grammar is read here: ", newer),
            at, whole);
    } else if (swallowing.has_value()) {
      Error(ErrorKind::kSyntax,
            absl::StrCat("the string or quoted name that begins here seems to have no end: ",
                         base::Utf8Prefix(problem.message, 200)),
            swallowing->begin, whole);
    } else {
      Error(ErrorKind::kSyntax,
            absl::StrCat(base::Utf8Prefix(problem.message, 200),
                         next == at ? "; is a semicolon missing before it?" : " (PostgreSQL 15's grammar)"),
            at, whole);
    }
    for (const auto& [offset, command] : piece.commands) {
      if (offset < next) Command(offset, command);
    }
    const std::string head = absl::AsciiStrToLower(text_.substr(piece.begin, 5));
    data_pending_ |= absl::StartsWith(head, "copy") && !InWord(head[4]) &&
                     absl::StrContains(absl::AsciiStrToLower(whole), "from stdin") && next == piece.next;
    GoOn(piece, next);
  }

  absl::string_view text_;
  const ScriptVisitor& visitor_;
  size_t at_ = 0;
  Place place_;
  size_t comments_until_ = 0;
  bool data_pending_ = false;
  size_t rescans_;
};

}  // namespace

void ReadScript(absl::string_view text, const ScriptVisitor& visitor) {
  const bool plain = base::FindInvalidUtf8(text) == absl::string_view::npos &&
                     !absl::StartsWith(text, "\xEF\xBB\xBF") &&
                     std::none_of(text.begin(), text.end(), [](char c) { return c >= 0 && c < '\t'; });
  if (plain) return Reader(text, visitor).Read();
  const ScriptText decoded = DecodeScript(text);
  if (decoded.error.has_value() && visitor.error) visitor.error(*decoded.error);
  Reader(decoded.text, visitor).Read();
}

}  // namespace curlew::sql
