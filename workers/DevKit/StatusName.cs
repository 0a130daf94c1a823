using System;

namespace Virtufin.DevKit
{
    /// <summary>The names of the gRPC statuses (grpc.io, "Status codes and their use in gRPC").</summary>
    public static class StatusName
    {
        /// <summary>Input that is refused, whatever the state of the system.</summary>
        public const string InvalidArgument = "INVALID_ARGUMENT";

        /// <summary>The system is not in a state that allows this.</summary>
        public const string FailedPrecondition = "FAILED_PRECONDITION";

        /// <summary>Something that should not happen.</summary>
        public const string Internal = "INTERNAL";

        private const string Known =
            " CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED"
            + " RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE"
            + " DATA_LOSS UNAUTHENTICATED ";

        /// <summary>Splits <c>NAME: text</c>, the form in which a gateway reports a failed call.</summary>
        /// <param name="report">The report; where it does not start with a status name the failure is INTERNAL.</param>
        /// <param name="fallback">The message when the report has no text.</param>
        public static CommandException Split(string report, string fallback)
        {
            string code = Internal;
            string message = report ?? string.Empty;
            int end = message.IndexOf(": ", StringComparison.Ordinal);
            if (end > 0 && message.IndexOf(' ') > end && Known.Contains(" " + message.Substring(0, end) + " "))
            {
                code = message.Substring(0, end);
                message = message.Substring(end + 2);
            }

            return new CommandException(code, message.Length == 0 ? fallback : message);
        }
    }
}
