using System;

namespace Virtufin.DevKit
{
    /// <summary>A command that failed: a gRPC status name and a message for the one who sent it.</summary>
    public sealed class CommandException : Exception
    {
        /// <summary>Names the failure.</summary>
        /// <param name="code">A gRPC status name, see <see cref="StatusName"/>.</param>
        /// <param name="message">What is wrong, and with which field.</param>
        public CommandException(string code, string message)
            : base(message)
        {
            Code = code;
        }

        /// <summary>A gRPC status name.</summary>
        public string Code { get; }

        /// <summary>A failure for input that is refused.</summary>
        /// <param name="message">The field, what was seen and what is wanted.</param>
        public static CommandException Invalid(string message)
        {
            return new CommandException(StatusName.InvalidArgument, message);
        }
    }
}
